"""Queries from Parquet in every accepted form, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UsageError
from pipeline.routing.query_table import QueryColumns, QueryTable, parse_codes
from tests.pipeline.shard_index.index_examples import make_queries

CODES = make_queries(5, num_bits=16)
RAW = [code.tobytes() for code in CODES.packed]


def write_queries(path: Path, **columns: Any) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


@pytest.mark.parametrize(
    "column",
    [pa.array(RAW, pa.binary(2)), pa.array(RAW), pa.array(RAW, pa.large_binary()), pa.array(CODES.to_hex())],
    ids=["fixed", "binary", "large", "hex"],
)
@pytest.mark.parametrize("max_rows", [1, 2, 9])
def test_codes_in_every_form(tmp_path: Path, column: pa.Array, max_rows: int) -> None:
    path = write_queries(tmp_path / "q.parquet", code=column, query_id=list("abcde"))
    table = QueryTable(path, path, QueryColumns())
    assert (table.holds_images, table.num_queries, table.id_type) == (False, 5, pa.string())
    batches = list(table.batches(max_rows))
    assert [name for ids, _ in batches for name in ids.to_pylist()] == list("abcde")
    packed = np.concatenate([parse_codes(values, ids, 16).packed for ids, values in batches])
    assert np.array_equal(packed, CODES.packed)


def test_row_numbers_are_the_default_ids(tmp_path: Path) -> None:
    path = write_queries(tmp_path / "q.parquet", picture=[b"a", b"b", b"c"], code=["00", "01", "02"])
    table = QueryTable(path, path, QueryColumns(image="picture"))
    assert table.holds_images
    assert [ids.to_pylist() for ids, _ in table.batches(2)] == [[0, 1], [2]]


def test_reads_from_memory(tmp_path: Path) -> None:
    path = write_queries(tmp_path / "q.parquet", image=[b"a"])
    assert QueryTable(pa.py_buffer(Path(path).read_bytes()), "s3://b/q", QueryColumns()).holds_images


@pytest.mark.parametrize(
    ("columns", "data", "reason"),
    [
        (QueryColumns(), {"x": [1]}, "has no column 'code' or 'image', only x"),
        (QueryColumns(code="y"), {"code": ["00"]}, "has no column 'y', only code"),
        (QueryColumns(query_id="n"), {"code": ["00"]}, "has no column 'n', only code"),
        (QueryColumns(code="a", image="b"), {"a": ["00"], "b": [b""]}, "give one"),
        (QueryColumns(), {"code": [1.5]}, "column 'code' is double, expected binary, or a string of hex"),
        (QueryColumns(), {"image": ["text"]}, "column 'image' is string, expected binary"),
        (
            QueryColumns(),
            {"code": ["00"], "query_id": [1.5]},
            "column 'query_id' is double, expected a string or an int",
        ),
    ],
)
def test_refuses_columns(tmp_path: Path, columns: QueryColumns, data: dict[str, Any], reason: str) -> None:
    path = write_queries(tmp_path / "q.parquet", **data)
    with pytest.raises(UsageError, match=reason):
        QueryTable(path, path, columns)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"\0", r"query 'q': code: got 8 bits, expected 16 bits"),
        ("000", r"query 'q': code: got '000'"),
        (None, r"query 'q': code: got none, expected 16 bits"),
    ],
)
def test_refuses_codes(value: bytes | str | None, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_codes(pa.array([value]), pa.array(["q"]), 16)


def test_refuses_files_that_are_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "q.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UsageError, match=r"q\.parquet: not a Parquet file that can be read"):
        QueryTable(str(tmp_path / "q.parquet"), str(tmp_path / "q.parquet"), QueryColumns())


def test_refuses_extension_types_before_opening(tmp_path: Path) -> None:
    json_type = pa.array(['{"a": 1}']).cast(pa.json_())
    path = write_queries(tmp_path / "q.parquet", code=["00"], extra=json_type)
    with pytest.raises(UsageError, match="extension types"):
        QueryTable(path, path, QueryColumns())


def test_a_file_that_breaks_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q.parquet"
    pq.write_table(pa.table({"code": RAW * 50}), path, write_page_checksum=True, use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"q\.parquet: cannot be read after row 0"):
        list(QueryTable(str(path), str(path), QueryColumns()).batches(10))
