"""DGH: an objective that never falls, balanced bits, and a rotated start that pays."""

import itertools

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.anchor_graph import AnchorGraph, dense_weights, graph_spectrum
from operators.hashers.discrete_graph_hashing import (
    DiscreteGraphHashing,
    GraphProblem,
    nearest_balanced,
    rotated_start,
)


def _features(num_items: int = 500) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((num_items, 8)) + 2 * rng.integers(0, 3, (num_items, 1))).astype(np.float32)


def _problem() -> tuple[GraphProblem, np.ndarray, np.ndarray]:
    """The problem, the graph's 8 leading eigenvectors, and their values."""
    graph = AnchorGraph.fit(_features(), num_anchors=40, num_nearest=4, seed=0, num_training=500)
    dense = dense_weights(*graph.weights(_features()), 40)
    values, matrix, totals = graph_spectrum(dense)
    return GraphProblem(dense, totals, 0.1), dense @ matrix[:, :8], values[:8]


def test_the_objective_is_that_of_the_whole_graph() -> None:
    problem, smooth, _ = _problem()
    affinity = problem.dense @ np.diag(1 / problem.totals) @ problem.dense.T
    codes = np.where(smooth >= 0, 1.0, -1.0)
    expected = np.trace(codes.T @ affinity @ codes) + 0.1 * np.trace(codes.T @ smooth)
    assert problem.objective(codes, smooth) == pytest.approx(expected)


@pytest.mark.parametrize("start", ["rotation", "spectral"])
def test_the_objective_never_falls(start: str) -> None:
    problem, smooth, values = _problem()
    codes, balanced = rotated_start(smooth, values, start, seed=1)
    steps = [problem.objective(codes, balanced)]
    for _ in range(5):
        codes = problem.ascend(codes, balanced, 1)
        steps.append(problem.objective(codes, balanced))
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(steps))
    _, rounds = problem.solve(*rotated_start(smooth, values, start, seed=1), num_rounds=10, num_steps=100)
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(rounds))
    assert rounds[-1] > rounds[0]


def test_a_rotated_start_ends_at_least_as_well() -> None:
    problem, smooth, values = _problem()
    ends = {
        start: problem.solve(*rotated_start(smooth, values, start, seed=0), num_rounds=20, num_steps=300)[1][-1]
        for start in ("rotation", "spectral")
    }
    assert ends["rotation"] >= 0.98 * ends["spectral"]


def test_many_steps_beat_one() -> None:
    problem, smooth, values = _problem()
    start = rotated_start(smooth, values, "spectral", seed=0)
    ends = [problem.solve(*start, num_rounds=1, num_steps=steps)[1][-1] for steps in (1, 300)]
    assert ends[1] > ends[0]


@pytest.mark.parametrize("rank", [8, 5])
def test_the_balanced_matrix_is_balanced_uncorrelated_and_best(rank: int) -> None:
    rng = np.random.default_rng(2)
    codes = np.where(rng.standard_normal((200, rank)) >= 0.3, 1.0, -1.0)
    codes = codes[:, np.arange(8) % rank]  # repeated columns lower the rank
    balanced = nearest_balanced(codes)
    np.testing.assert_allclose(balanced.sum(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(balanced.T @ balanced, 200 * np.eye(8), atol=1e-6)
    reached = (codes * balanced).sum()
    for _ in range(20):
        turn, _ = np.linalg.qr(rng.standard_normal((8, 8)))
        assert (codes * (balanced @ turn)).sum() <= reached + 1e-6


def test_neighbours_get_near_codes() -> None:
    hasher = DiscreteGraphHashing(num_bits=16, seed=0, num_anchors=60)
    features = _features()
    hasher.fit(features)
    bits = hasher.encode(features).to_bits()
    every = np.square(features[:, None] - features[None]).sum(axis=2)
    nearest = np.argsort(every, axis=1)[:, 1:6]
    near = (bits[:, None] != bits[nearest]).mean()
    assert near < 0.6 * (bits[:, None] != bits[None]).mean()


def test_more_bits_than_eigenvectors_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="the graph's eigenvectors"):
        DiscreteGraphHashing(num_bits=32, seed=0, num_anchors=20).fit(_features())
