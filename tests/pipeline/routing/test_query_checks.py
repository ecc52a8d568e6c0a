"""Each wrong value is named with the limit."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.routing.query_checks import check_item_id, check_k, check_queries, parse_hex_code
from tests.pipeline.shard_index.index_examples import make_queries
from tests.pipeline.shard_index.test_index_manifest import MANIFEST


@pytest.mark.parametrize("k", [0, -1, 10**9, 16_385, True, 2.0, "5", None])
def test_refuses_k(k: Any) -> None:
    with pytest.raises(UsageError, match=rf"k = {k!r}: expected a whole number from 1 to 16,384"):
        check_k(k)


def test_accepts_k() -> None:
    assert [check_k(k) for k in (1, 16_384)] == [1, 16_384]


@pytest.mark.parametrize("item_id", [-1, 2**63, False, 1.0, "7"])
def test_refuses_ids(item_id: Any) -> None:
    with pytest.raises(UsageError, match="id = "):
        check_item_id(item_id)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ff", r"8 bits, expected 32 bits \(8 hex digits\)"),
        ("0011223344", "40 bits, expected 32 bits"),
        ("xyz", "'xyz', expected 8 hexadecimal digits"),
        ("", "0 bits, expected 32 bits"),
    ],
)
def test_refuses_hex_codes(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"query code for index photos: code: got {reason}"):
        parse_hex_code(text, MANIFEST)


def test_codes_of_the_right_and_of_another_width() -> None:
    assert parse_hex_code("00ff00aa", MANIFEST).to_hex() == ["00ff00aa"]
    codes = make_queries(2, num_bits=32)
    assert check_queries(codes, MANIFEST) is codes
    with pytest.raises(UsageError, match="query codes have 12 bits, codes of index photos 32 bits"):
        check_queries(make_queries(1), MANIFEST)
