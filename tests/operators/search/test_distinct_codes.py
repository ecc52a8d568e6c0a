"""Identical codes collapsed, against a dictionary."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.search.distinct_codes import DistinctCodes


def _codes(num_items: int, num_bits: int, seed: int) -> BinaryCodes:
    rng = np.random.default_rng(seed)
    return BinaryCodes.from_bits((rng.random((4, num_bits)) < 0.5)[rng.integers(0, 4, num_items)])


@settings(max_examples=80, deadline=None)
@given(num_items=st.integers(0, 40), num_bits=st.integers(1, 150), seed=st.integers(0, 2**32), data=st.data())
def test_each_code_once_with_the_positions_that_have_it(
    num_items: int, num_bits: int, seed: int, data: st.DataObject
) -> None:
    codes = _codes(num_items, num_bits, seed)
    expected: dict[str, list[int]] = {}
    for position, text in enumerate(codes.to_hex()):
        expected.setdefault(text, []).append(position)
    distinct = DistinctCodes.of(codes)
    assert distinct.codes.to_hex() == sorted(expected)
    every = [distinct.items(np.array([number])).tolist() for number in range(len(distinct))]
    assert every == [expected[text] for text in sorted(expected)]
    assert distinct.duplicate_share == pytest.approx(1 - len(expected) / num_items if num_items else 0)
    asked = np.array(data.draw(st.lists(st.integers(0, len(expected) - 1), max_size=6)) if expected else [], np.int64)
    assert distinct.items(asked).tolist() == [position for number in asked for position in every[number]]
    assert distinct.items(asked, most=2).tolist() == [position for number in asked for position in every[number][:2]]
    assert distinct.counts(asked).tolist() == [len(every[number]) for number in asked]


@pytest.mark.parametrize(
    ("starts", "positions", "reason"),
    [
        ([0, 1], [0, 1, 2], r"expected int64 \(3,\)"),
        ([0, 2, 2], [0, 1], "empty or overlap"),
        ([1, 2, 3], [0, 1, 2], "empty or overlap"),
        ([0, 1, 2], [0, 1, 2], "empty or overlap"),
        ([0, 2, 3], [0, 1, 1], "repeated or unknown"),
        ([0, 2, 3], [0, 1, 3], "repeated or unknown"),
        ([0, 2, 3], [0, -1, 1], "repeated or unknown"),
        ([0, 2, 3], [2, 0, 1], "out of order"),
    ],
)
def test_refuses_what_are_not_postings(starts: list[int], positions: list[int], reason: str) -> None:
    codes = BinaryCodes(np.array([[1], [2]], np.uint8), 8)
    with pytest.raises(ShapeMismatch, match=reason):
        DistinctCodes(codes, np.array(starts, np.int64), np.array(positions, np.int64))


def test_the_end_of_one_code_may_lie_beyond_the_start_of_the_next() -> None:
    codes = BinaryCodes(np.array([[1], [2]], np.uint8), 8)
    assert len(DistinctCodes(codes, np.array([0, 2, 3]), np.array([0, 2, 1]))) == 2
