"""Near pairs that were found part by part, as one answer: that of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from operators.search.near_pairs import NearPairs
from operators.search.pair_order import PairArrays, sort_pairs


def merge_near_pairs(
    parts: Sequence[PairArrays], first: NDArray[np.int64], first_right: NDArray[np.int64] | None = None
) -> NearPairs:
    """`parts`: `left`, `right` and `distances` of the pairs within and between the parts of one set (each two parts
    once), or between the parts of two sets; as positions in the whole sets. `first` and `first_right`: of the whole
    sets, as `first_items` gives them.

    Equal, array by array, to what `near_pairs` or `near_pairs_between` gives for the whole. Memory: the pairs twice.
    """
    left, right, distances = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint16)
    if parts:
        left, right = (np.concatenate([part[side] for part in parts]).astype(np.int64) for side in (0, 1))
        distances = np.concatenate([part[2] for part in parts])
    left, right = first[left], (first if first_right is None else first_right)[right]
    if first_right is None:
        different = left != right
        left, right, distances = left[different], right[different], distances[different]
        left, right = np.minimum(left, right), np.maximum(left, right)
    # Codes that several parts hold made the same pair several times.
    left, right, distances = sort_pairs(left, right, distances)
    is_new = np.ones(len(left), bool)
    is_new[1:] = (left[1:] != left[:-1]) | (right[1:] != right[:-1])
    return NearPairs(left[is_new], right[is_new], distances[is_new], first, first_right)
