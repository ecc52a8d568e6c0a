"""Walks over a graph of neighbours, against steps by hand and powers of the walk matrix."""

import numpy as np
import torch

from operators.training.neighbor_walks import walk_affinity, walk_ends, walk_profiles


def _graph(num_items: int = 40, num_neighbors: int = 3) -> np.ndarray:
    """Two halves without an edge between them."""
    rng = np.random.default_rng(0)
    half = num_items // 2
    others = [[other for other in range(half) if other != item] for item in range(half)]
    first = np.array([rng.choice(own, num_neighbors, replace=False) for own in others])
    return np.concatenate([first, first + half])


def test_a_walk_of_no_step_stays_and_one_of_one_step_ends_at_a_neighbour() -> None:
    neighbors = _graph()
    rng = np.random.default_rng(1)
    steps = np.arange(40) % 2
    ends = walk_ends(neighbors, steps, rng)
    for item, end in enumerate(ends):
        assert end == item if steps[item] == 0 else end in neighbors[item]


def test_a_walk_takes_as_many_steps_as_asked() -> None:
    ring = (np.arange(10)[:, None] + 1) % 10
    steps = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    np.testing.assert_array_equal(walk_ends(ring, steps, np.random.default_rng(0)), (np.arange(10) + steps) % 10)


def test_steps_go_to_every_neighbour_alike() -> None:
    neighbors = np.tile(np.array([[0, 1, 2, 3]]), (20_000, 1))
    ends = walk_ends(neighbors, np.ones(20_000, np.int64), np.random.default_rng(3))
    np.testing.assert_allclose(np.bincount(ends) / 20_000, np.full(4, 0.25), atol=0.02)


def test_profiles_are_a_sketch_of_the_powers_of_the_walk_matrix() -> None:
    neighbors = _graph()
    edges = np.zeros((40, 40))
    for item, own in enumerate(neighbors):
        edges[item, own] = 1
    edges += edges.T
    degrees = edges.sum(axis=1)
    walk = np.linalg.matrix_power(edges / degrees[:, None], 3) - degrees / degrees.sum()
    expected = walk @ np.diag(1 / degrees) @ walk.T
    lengths = np.sqrt(np.diag(expected))
    profiles = walk_profiles(neighbors, num_steps=3, width=20_000, rng=np.random.default_rng(0))
    assert profiles.dtype == np.float32
    np.testing.assert_allclose(profiles @ profiles.T, expected / np.outer(lengths, lengths), atol=0.05)


def test_walks_that_never_meet_have_unlike_profiles() -> None:
    profiles = walk_profiles(_graph(), num_steps=30, width=64, rng=np.random.default_rng(0))
    inner = profiles @ profiles.T
    assert inner[:20, :20].min() > 0.9
    assert inner[:20, 20:].max() < 0.1


def test_affinities_weigh_those_that_never_meet_against_those_that_do() -> None:
    profiles = walk_profiles(_graph(), num_steps=4, width=64, rng=np.random.default_rng(0))
    inner = (profiles @ profiles.T) * (1 - np.eye(40, dtype=np.float32))
    near, far = np.maximum(inner, 0), np.minimum(inner, 0)
    for repulsion in (0.0, 0.8):
        expected = near + far * repulsion * near.sum() / -far.sum()
        affinity = walk_affinity(torch.from_numpy(profiles), repulsion=repulsion)
        np.testing.assert_allclose(affinity.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_items_that_are_all_alike_have_nothing_to_drive_apart() -> None:
    affinity = walk_affinity(torch.ones(3, 2), repulsion=0.8)
    assert affinity.tolist() == [[0, 2, 2], [2, 0, 2], [2, 2, 0]]


def test_walks_depend_on_the_generator_alone() -> None:
    first, second = (walk_profiles(_graph(), num_steps=4, width=8, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
