"""The references themselves, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from tests.oracles import hamming_by_bits, missed_tables, rank_everything, rankings_of, same_answer


def test_hand_computed_cases() -> None:
    assert hamming_by_bits([True, False, True], [False, False, False]) == 2
    assert missed_tables([True, False, True, True], [True, False, True, False], 2) == 1
    with pytest.raises(ValueError, match="longer"):
        hamming_by_bits([True], [True, False])


def test_ranking_breaks_ties_by_id() -> None:
    codes = BinaryCodes.from_bits(np.array([[1, 1], [0, 1], [1, 0]], dtype=bool))
    query = BinaryCodes.from_bits(np.array([[0, 0]], dtype=bool))
    assert rank_everything(codes, np.array([3, 9, 4]), query, hamming_by_bits) == [[(1, 4), (1, 9), (2, 3)]]


def test_same_answer_sees_a_changed_id() -> None:
    left = RankedNeighbors(np.array([[1]], np.int32), np.array([[4]]), np.array([1]))
    right = RankedNeighbors(np.array([[1]], np.int32), np.array([[5]]), np.array([1]))
    assert rankings_of(left) == [[(1, 4)]]
    assert same_answer(left, left)
    assert not same_answer(left, right)
