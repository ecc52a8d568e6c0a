from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.code_shards.encoded_row import rows_to_columns
from pipeline.code_shards.shard_schema import code_schema
from pipeline.errors import SourceError
from tests.pipeline.code_shards.shard_examples import IDENTITY, encoded_rows

SCHEMA = code_schema(IDENTITY)


@pytest.mark.parametrize("num_rows", [0, 1, 5])
def test_rows_become_typed_columns(num_rows: int) -> None:
    rows = encoded_rows(num_rows)
    columns = rows_to_columns(rows, SCHEMA, IDENTITY.carried)
    assert all(column.type == SCHEMA.field(name).type for name, column in columns.items())
    for name in ("key", "content_sha256", "width", "label", "parent_key"):
        assert columns[name].to_pylist() == [getattr(row, name) for row in rows]
    assert columns["stock"].to_pylist() == [row.carried["stock"] for row in rows]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"width": 2**31}, r"column 'width' of item 'photo-2.jpg': got 2147483648, expected int32"),
        ({"content_sha256": b"short"}, r"column 'content_sha256' of item 'photo-2.jpg': got b'short'"),
        ({"uri": "caf\udce9.jpg"}, r"column 'uri' of item 'photo-2.jpg': got 'caf\\udce9.jpg', expected string"),
        ({"media_type": None}, r"column 'media_type' of item 'photo-2.jpg': got None, expected string;"),
        ({"label": 7}, r"column 'label' of item 'photo-2.jpg': got 7, expected string or nothing"),
        (
            {"carried": {"price": "cheap", "stock": 1}},
            r"column 'price' of item 'photo-2.jpg': got 'cheap', expected double",
        ),
        ({"carried": {"price": 1.0, "stock": 1.5}}, r"column 'stock' of item 'photo-2.jpg': got 1.5, expected int64"),
        ({"carried": {"price": True, "stock": 1}}, r"column 'price' of item 'photo-2.jpg': got True, expected double"),
        ({"carried": {"price": 1.0}}, r"item 'photo-2.jpg' carries columns \['price'\], expected \['price', 'stock'\]"),
    ],
)
def test_a_value_that_does_not_fit_is_named(change: dict[str, Any], match: str) -> None:
    rows = encoded_rows(4)
    rows[2] = replace(rows[2], **change)
    with pytest.raises(SourceError, match=match):
        rows_to_columns(rows, SCHEMA, IDENTITY.carried)
