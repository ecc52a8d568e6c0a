"""Clusters of near duplicates against loops over items."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.search.near_duplicate_clusters import (
    connected_clusters,
    distances_to,
    keep_one,
    nearest_in_other,
    star_clusters,
)
from operators.search.near_pairs import near_pairs, near_pairs_between
from tests.operators.search.near_duplicates import clustered_codes, pairs_by_force


def neighbours_by_force(codes: BinaryCodes, radius: int) -> list[set[int]]:
    neighbours: list[set[int]] = [set() for _ in range(len(codes))]
    for left, right, _ in pairs_by_force(codes, None, radius):
        neighbours[left].add(right)
        neighbours[right].add(left)
    return neighbours


def by_neighbours(neighbours: list[set[int]]) -> list[int]:
    return sorted(range(len(neighbours)), key=lambda item: (-len(neighbours[item]), item))


def stars_by_force(neighbours: list[set[int]]) -> list[int]:
    """Item by item, identical ones too."""
    centres = [-1] * len(neighbours)
    for item in by_neighbours(neighbours):
        if centres[item] < 0:
            for member in (item, *neighbours[item]):
                if centres[member] < 0:
                    centres[member] = item
    return centres


def components_by_force(neighbours: list[set[int]]) -> list[int]:
    centres = [-1] * len(neighbours)
    for item in by_neighbours(neighbours):
        waiting = [item] if centres[item] < 0 else []
        while waiting:
            member = waiting.pop()
            if centres[member] < 0:
                centres[member] = item
                waiting.extend(neighbours[member])
    return centres


@settings(max_examples=60, deadline=None)
@given(
    num_bits=st.sampled_from([8, 16, 64]),
    num_codes=st.integers(0, 60),
    radius=st.integers(0, 6),
    seed=st.integers(0, 2**32),
)
def test_clusters_equal_loops_over_items(num_bits: int, num_codes: int, radius: int, seed: int) -> None:
    codes = clustered_codes(num_codes, num_bits, seed=seed)
    neighbours, pairs = neighbours_by_force(codes, radius), near_pairs(codes, radius=radius)
    assert star_clusters(pairs).tolist() == stars_by_force(neighbours)
    assert connected_clusters(pairs).tolist() == components_by_force(neighbours)


def test_stars_do_not_chain() -> None:
    """A chain of codes, each a bit from the next: one component, and stars of three."""
    codes = BinaryCodes.from_bits(np.tri(9, 16, -1, dtype=bool))
    pairs = near_pairs(codes, radius=1)
    assert connected_clusters(pairs).tolist() == [1] * 9
    stars = star_clusters(pairs)
    assert stars.tolist() == [1, 1, 1, 3, 3, 5, 5, 7, 7]
    assert distances_to(codes, stars).max() == 1
    assert distances_to(codes, connected_clusters(pairs)).tolist() == [1, 0, 1, 2, 3, 4, 5, 6, 7]


def test_ties_go_to_the_lower_position() -> None:
    codes = BinaryCodes(np.array([[0b11], [0b01], [0b11], [0b01]], np.uint8), 8)
    assert star_clusters(near_pairs(codes, radius=1)).tolist() == [0, 0, 0, 0]
    assert star_clusters(near_pairs(codes, radius=0)).tolist() == [0, 1, 0, 1]


def test_one_of_each_cluster_is_kept() -> None:
    centres = np.array([1, 1, 2, 1, 4, 4])
    assert np.flatnonzero(keep_one(centres)).tolist() == [0, 2, 4]
    scores = np.array([5.0, 7.0, np.nan, 7.0, np.nan, -3.0])
    assert np.flatnonzero(keep_one(centres, scores)).tolist() == [1, 2, 5]
    with pytest.raises(ShapeMismatch, match="scores"):
        keep_one(centres, scores[1:])


def test_the_nearest_of_another_set() -> None:
    codes, others = clustered_codes(80, 16, seed=1), clustered_codes(50, 16, seed=1)
    nearest, distances = nearest_in_other(near_pairs_between(codes, others, radius=3))
    expected = [(-1, -1)] * len(codes)
    for left, right, distance in sorted(pairs_by_force(codes, others, 3), key=lambda pair: (-pair[2], -pair[1])):
        expected[left] = (right, distance)
    assert list(zip(nearest.tolist(), distances.tolist(), strict=True)) == expected
    assert -1 in nearest
    assert 0 in distances


def test_pairs_of_two_sets_have_no_clusters_and_those_of_one_no_other() -> None:
    codes = clustered_codes(5, 16, seed=1)
    for clusters in (star_clusters, connected_clusters):
        with pytest.raises(InvalidSetting, match="pairs = between two sets"):
            clusters(near_pairs_between(codes, codes, radius=1))
    with pytest.raises(ShapeMismatch, match="pairs between two sets"):
        nearest_in_other(near_pairs(codes, radius=1))
