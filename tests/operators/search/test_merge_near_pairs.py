"""Any split merges to the unsplit answer."""

from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.search.merge_near_pairs import merge_near_pairs
from operators.search.near_pairs import NearPairs, first_items, near_pairs, near_pairs_between
from operators.search.pair_order import PairArrays
from tests.operators.search.near_duplicates import clustered_codes


def same(left: NearPairs, right: NearPairs) -> bool:
    return all(
        np.array_equal(one, other) and getattr(one, "dtype", None) == getattr(other, "dtype", None)
        for one, other in zip(astuple(left), astuple(right), strict=True)
    )


def placed(pairs: NearPairs, start: int, other_start: int) -> PairArrays:
    return pairs.left + start, pairs.right + other_start, pairs.distances


def parts_of(codes: BinaryCodes, cuts: list[int]) -> list[tuple[int, BinaryCodes]]:
    bounds = [0, *sorted(min(cut, len(codes)) for cut in cuts), len(codes)]
    return [(start, codes[slice(start, stop)]) for start, stop in pairwise(bounds)]


@settings(max_examples=50, deadline=None)
@given(num_codes=st.integers(0, 60), cuts=st.lists(st.integers(0, 60), max_size=3), seed=st.integers(0, 2**32))
def test_within_one_set(num_codes: int, cuts: list[int], seed: int) -> None:
    codes = clustered_codes(num_codes, 16, seed=seed, most_flips=2)
    parts = parts_of(codes, cuts)
    found = [placed(near_pairs(part, radius=2), start, start) for start, part in parts]
    found += [
        placed(near_pairs_between(part, other, radius=2), start, other_start)
        for number, (start, part) in enumerate(parts)
        for other_start, other in parts[number + 1 :]
    ]
    assert same(merge_near_pairs(found, first_items(codes)), near_pairs(codes, radius=2))


@pytest.mark.parametrize("cuts", [[], [7], [3, 20]])
def test_between_two_sets(cuts: list[int]) -> None:
    codes, others = clustered_codes(40, 16, seed=1, most_flips=2), clustered_codes(30, 16, seed=1, most_flips=2)
    found = [
        placed(near_pairs_between(part, other, radius=2), start, other_start)
        for (start, part), (other_start, other) in product(parts_of(codes, cuts), parts_of(others, cuts))
    ]
    merged = merge_near_pairs(found, first_items(codes), first_items(others))
    assert same(merged, near_pairs_between(codes, others, radius=2))
    assert len(merged.left)


def test_nothing_merges_to_nothing() -> None:
    codes = clustered_codes(0, 16, seed=1)
    assert same(merge_near_pairs([], first_items(codes)), near_pairs(codes, radius=2))
