"""Any split of the data merges to the unsplit answer, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.ranked_neighbors import RankedNeighbors
from operators.search.hamming_flat import search_flat
from operators.search.merge_ranked import merge_ranked
from tests.oracles import rankings_of, same_answer


@settings(max_examples=150, deadline=None)
@given(
    num_bits=st.integers(1, 20),
    owners=st.lists(st.integers(0, 4), max_size=50),
    k=st.integers(1, 60),
    seed=st.integers(0, 2**32),
)
def test_any_split_merges_to_the_unsplit_answer(num_bits: int, owners: list[int], k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = BinaryCodes.from_bits(rng.random((len(owners), num_bits)) < 0.5)
    queries = BinaryCodes.from_bits(rng.random((3, num_bits)) < 0.5)
    ids = np.cumsum(rng.integers(1, 1000, len(owners)))
    whole = search_flat(codes, ids, queries, k=k)
    parts = []
    for owner in rng.permutation(5):
        rows = np.flatnonzero(np.array(owners, np.int64) == owner)
        parts.append(search_flat(codes[rows], ids[rows], queries, k=k))
    assert same_answer(merge_ranked(parts, k=k), whole)
    nested = merge_ranked([merge_ranked(parts[:2], k=k), merge_ranked(parts[2:], k=k)], k=k)
    assert same_answer(nested, whole)


def answer_of(pairs: list[tuple[int, int]]) -> RankedNeighbors:
    distances, ids = np.array(pairs).reshape(-1, 2).T
    return RankedNeighbors(distances[None].astype(np.int32), ids[None].astype(np.int64), np.array([len(pairs)]))


def test_parts_of_different_k() -> None:
    merged = merge_ranked([answer_of([(1, 5)]), answer_of([(0, 9), (1, 4), (7, 1)])], k=3)
    assert rankings_of(merged) == [[(0, 9), (1, 4), (1, 5)]]


def test_a_real_distance_as_large_as_the_padding_survives() -> None:
    far = int(np.iinfo(np.int32).max)
    merged = merge_ranked([RankedNeighbors.empty(1, 4), answer_of([(far, 3)])], k=2)
    assert rankings_of(merged) == [[(far, 3)]]


def test_refuses_what_cannot_be_merged() -> None:
    with pytest.raises(ShapeMismatch, match="at least one"):
        merge_ranked([], k=1)
    with pytest.raises(ShapeMismatch, match="2 queries"):
        merge_ranked([RankedNeighbors.empty(1, 3), RankedNeighbors.empty(2, 3)], k=1)
    with pytest.raises(ShapeMismatch, match="out of order"):
        merge_ranked([answer_of([(1, 5)]), answer_of([(1, 5)])], k=2)
    with pytest.raises(InvalidSetting, match="k = 0"):
        merge_ranked([RankedNeighbors.empty(1, 3)], k=0)
