"""Anchor graphs and AGH against the whole graph, small enough to write down."""

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.anchor_graph import AnchorGraph, dense_weights, graph_spectrum
from operators.hashers.anchor_graph_hashing import AnchorGraphHashing, second_thresholds


def _features(num_items: int = 300) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((num_items, 6)) * [4, 3, 2, 1, 1, 1]).astype(np.float32)


def _graph() -> AnchorGraph:
    return AnchorGraph.fit(_features(), num_anchors=30, num_nearest=3, seed=0, num_training=300)


def test_weights_are_those_of_plain_loops() -> None:
    graph = _graph()
    anchors, weights = graph.weights(_features())
    for item in range(0, 300, 17):
        squared = ((_features()[item].astype(np.float64) - graph.anchors) ** 2).sum(axis=1)
        nearest = np.argsort(squared)[:3]
        assert anchors[item].tolist() == nearest.tolist()
        kernel = np.exp(-squared[nearest] / float(graph.bandwidth[0]) ** 2)
        np.testing.assert_allclose(weights[item], kernel / kernel.sum(), rtol=1e-5)


def test_far_items_keep_their_weights() -> None:
    _, weights = _graph().weights(_features() * np.float32(1000))
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


def test_the_spectrum_is_that_of_the_whole_graph() -> None:
    dense = dense_weights(*_graph().weights(_features()), 30)
    values, matrix, totals = graph_spectrum(dense)
    affinity = dense @ np.diag(1 / totals) @ dense.T
    np.testing.assert_allclose(affinity.sum(axis=1), 1)
    expected = np.sort(np.linalg.eigvalsh(affinity))[::-1]
    np.testing.assert_allclose(values[:10], expected[expected < 1 - 1e-3][:10], atol=1e-9)
    vectors = dense @ matrix
    np.testing.assert_allclose(affinity @ vectors[:, :5], vectors[:, :5] * values[:5], atol=1e-8)
    np.testing.assert_allclose(vectors[:, :5].T @ vectors[:, :5], 300 * np.eye(5), atol=1e-6)


def test_one_layer_takes_signs_of_eigenvectors() -> None:
    hasher = AnchorGraphHashing(num_bits=8, seed=0, num_anchors=30, num_nearest=3)
    hasher.fit(_features())
    dense = dense_weights(*_graph().weights(_features()), 30)
    vectors = dense @ graph_spectrum(dense)[1][:, :8]
    wrong = hasher.encode(_features()).to_bits() != (vectors >= 0)
    assert (np.abs(vectors[wrong]) < 1e-4).all()


def test_second_thresholds_are_the_smoothest_with_a_balanced_sum() -> None:
    dense = dense_weights(*_graph().weights(_features()), 30)
    _, matrix, totals = graph_spectrum(dense)
    vectors = dense @ matrix[:, :4]
    laplacian = np.eye(300) - dense @ np.diag(1 / totals) @ dense.T
    for vector, (above, below) in zip(vectors.T, second_thresholds(dense, vectors, totals).T, strict=True):
        positive = vector > 0

        def cut(a: float, vector: np.ndarray = vector, positive: np.ndarray = positive) -> float:
            b = (np.abs(vector).sum() - positive.sum() * a) / (~positive).sum()
            w = np.abs(vector) - np.where(positive, a, b)
            assert w.sum() == pytest.approx(0, abs=1e-8)
            return float(w @ laplacian @ w)

        assert cut(above) <= min(cut(above + step) for step in (-0.1, -0.01, 0.01, 0.1))
        assert -below == pytest.approx((np.abs(vector).sum() - positive.sum() * above) / (~positive).sum())


def test_two_layers_split_each_side() -> None:
    hasher = AnchorGraphHashing(num_bits=12, seed=0, num_anchors=30, num_nearest=3, num_layers=2)
    hasher.fit(_features())
    bits = hasher.encode(_features()).to_bits()
    first, second = bits[:, :6], bits[:, 6:]
    for column in range(6):
        for side in (True, False):
            share = second[first[:, column] == side, column].mean()
            assert 0.05 < share < 0.95


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"num_bits": 32, "num_anchors": 20}, "agh.num_bits = 32: expected at most"),
        ({"num_bits": 8, "num_anchors": 3, "num_nearest": 3}, "fewer than the 3 anchors"),
        ({"num_bits": 8, "num_anchors": 301}, "at most 300, the rows"),
    ],
)
def test_graphs_that_are_too_small_are_refused(settings: dict[str, int], expected: str) -> None:
    with pytest.raises(InvalidSetting, match=expected):
        AnchorGraphHashing(seed=0, **settings).fit(_features())


def test_an_odd_number_of_bits_for_two_layers_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="an even number for 2 layers"):
        AnchorGraphHashing(num_bits=7, seed=0, num_layers=2)
