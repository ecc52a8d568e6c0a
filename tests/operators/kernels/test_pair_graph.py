"""Graphs against loops over vertices; clusters of codes are tested in tests/operators/search."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.pair_graph import lowest_connected, star_centres


@settings(max_examples=60, deadline=None)
@given(num_vertices=st.integers(1, 30), num_edges=st.integers(0, 40), seed=st.integers(0, 2**32))
def test_lowest_connected(num_vertices: int, num_edges: int, seed: int) -> None:
    edges = np.random.default_rng(seed).integers(0, num_vertices, (2, num_edges))
    lowest = list(range(num_vertices))
    for _ in range(num_vertices):
        for left, right in edges.T.tolist():
            lowest[left] = lowest[right] = min(lowest[left], lowest[right])
    assert lowest_connected(edges[0], edges[1], num_vertices).tolist() == lowest


def test_a_long_chain() -> None:
    chain = np.random.default_rng(0).permutation(100_000)
    assert not np.any(lowest_connected(chain[:-1], chain[1:], 100_000))


def test_stars_in_the_given_order() -> None:
    starts = np.array([0, 1, 3, 5, 6, 6])  # a path 0 - 1 - 2 - 3, and 4 alone
    neighbours = np.array([1, 0, 2, 1, 3, 2])
    assert star_centres(np.array([1, 2, 0, 3, 4]), starts, neighbours).tolist() == [1, 1, 1, 3, 4]
    assert star_centres(np.array([0, 1, 2, 3]), starts, neighbours).tolist() == [0, 0, 2, 2, 4]
