"""The hash function with a kernel: what it computes, and that it is the ridge optimum over the codes of all items."""

import numpy as np
import pytest

from operators.errors import ShapeMismatch
from operators.hashers.kernel_anchor_probability_hashing import KernelAnchorProbabilityHashing, ridge_solver

_NUM_ANCHORS, _RIDGE = 20, 0.01


def _features(num_items: int = 150, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num_items, 8)).astype(np.float32)


def _fitted() -> KernelAnchorProbabilityHashing:
    hasher = KernelAnchorProbabilityHashing(
        num_bits=6, seed=0, num_anchors=_NUM_ANCHORS, neighbor_share=0.2, num_epochs=8, ridge=_RIDGE
    )
    hasher.fit(_features())
    return hasher


def _rows(hasher: KernelAnchorProbabilityHashing, features: np.ndarray) -> np.ndarray:
    """Centred similarities, item by item."""
    tensors = {name: np.asarray(tensor, np.float64) for name, tensor in hasher.tensors().items()}
    squared = [[np.square(item - anchor).sum() for anchor in tensors["anchors"]] for item in features]
    return np.asarray(np.exp(-np.array(squared) / tensors["bandwidth"] ** 2) - tensors["mean"])


def test_a_code_is_the_sign_of_projected_similarities() -> None:
    hasher, queries = _fitted(), _features(40, seed=1)
    values = _rows(hasher, queries) @ np.asarray(hasher.tensors()["projection"], np.float64)
    clear = np.abs(values) > 1e-4
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(hasher.encode(queries).to_bits()[clear], values[clear] >= 0)


def test_the_projection_is_the_ridge_optimum_over_all_items() -> None:
    hasher = _fitted()
    assert hasher.training_codes is not None
    rows, signs = _rows(hasher, _features()), 2.0 * hasher.training_codes.to_bits() - 1
    alpha = _RIDGE * np.trace(rows.T @ rows) / _NUM_ANCHORS
    projection = np.asarray(hasher.tensors()["projection"], np.float64)
    gradient = rows.T @ (rows @ projection - signs) + alpha * projection
    assert np.abs(gradient).max() < 1e-3 * np.abs(rows.T @ signs).max()


def test_anchors_are_items() -> None:
    anchors = np.asarray(_fitted().tensors()["anchors"])
    same = (anchors[:, None] == _features()[None]).all(axis=2)
    assert same.any(axis=1).all()
    assert len(np.unique(anchors, axis=0)) == _NUM_ANCHORS


def test_the_solver_is_the_inverse_with_the_ridge() -> None:
    rows = _features(30)
    scatter = rows.T.astype(np.float64) @ rows
    ridged = scatter + 0.2 * np.trace(scatter) / 8 * np.eye(8)
    np.testing.assert_allclose(ridge_solver(rows, 0.2) @ ridged, np.eye(8), atol=1e-9)


def test_tensors_of_other_shapes_are_refused() -> None:
    hasher = _fitted()
    with pytest.raises(ShapeMismatch, match="bandwidth"):
        hasher.load_tensors({**hasher.tensors(), "bandwidth": np.ones(2, np.float32)})
