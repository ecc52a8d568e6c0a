"""PQ and OPQ: nearest words, errors that never rise, and rotations that pay."""

import itertools

import numpy as np
import pytest

from operators.errors import InvalidSetting, ShapeMismatch
from operators.hashers.hasher_registry import create_hasher
from operators.hashers.optimized_product_quantization import balanced_order, rotate_and_code
from operators.hashers.quantizer import Quantizer


def _features(num_items: int = 900) -> np.ndarray:
    """Correlated across sub-spaces, of unequal variance: what plain PQ codes badly."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((16, 16))
    return (rng.standard_normal((num_items, 16)) * np.geomspace(10, 0.1, 16) @ mixing + 3).astype(np.float32)


def _fitted(method: str, num_bits: int = 32) -> Quantizer:
    hasher = create_hasher(method, num_bits=num_bits, seed=1)
    hasher.fit(_features())
    assert isinstance(hasher, Quantizer)
    return hasher


@pytest.mark.parametrize("method", ["pq", "opq"])
def test_tables_measure_the_distance_to_the_reconstruction(method: str) -> None:
    hasher = _fitted(method)
    codes = hasher.encode(_features()[:50])
    tables = hasher.lookup_tables(_features()[50:55]).values
    decoded = hasher.reconstruct(codes).astype(np.float64)
    queries = _represented(hasher, _features()[50:55])
    for query in range(5):
        summed = [sum(tables[query, m, byte] for m, byte in enumerate(code)) for code in codes.packed]
        np.testing.assert_allclose(summed, np.square(decoded - queries[query]).sum(axis=1), rtol=1e-3)


def _represented(hasher: Quantizer, features: np.ndarray) -> np.ndarray:
    tensors = {name: np.asarray(tensor, np.float64) for name, tensor in hasher.tensors().items()}
    if hasher.method == "pq":
        return features.astype(np.float64)
    return np.asarray((features - tensors["mean"]) @ tensors["projection"])


def test_a_rotation_lowers_the_error() -> None:
    features = _features()
    errors = {}
    for method in ("pq", "opq"):
        hasher = _fitted(method)
        decoded = hasher.reconstruct(hasher.encode(features)).astype(np.float64)
        errors[method] = np.square(decoded - _represented(hasher, features)).sum(axis=1).mean()
    assert errors["opq"] < 0.8 * errors["pq"]


def test_the_error_never_rises_and_the_rotation_is_one() -> None:
    rows = _features() - _features().mean(axis=0)
    rotation, _, errors = rotate_and_code(rows, np.eye(16), num_codebooks=4, num_iterations=12, seed=0)
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < 0.9 * errors[0]
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(16), atol=1e-8)


def test_variances_are_dealt_out_evenly() -> None:
    variances = np.array([100.0, 50, 20, 10, 5, 2, 1, 0.5])
    order = balanced_order(variances, 2)
    assert sorted(order.tolist()) == list(range(8))
    products = np.prod(variances[order].reshape(2, 4), axis=1)
    assert max(products) / min(products) < 5


@pytest.mark.parametrize("method", ["pq", "opq"])
@pytest.mark.parametrize(("num_bits", "expected"), [(12, "multiple of 8"), (256, "at most 128")])
def test_bits_that_do_not_fit_are_refused(method: str, num_bits: int, expected: str) -> None:
    with pytest.raises(InvalidSetting, match=expected):
        create_hasher(method, num_bits=num_bits, seed=0).fit(_features())


def test_codes_of_another_width_are_refused() -> None:
    codes = _fitted("pq", 16).encode(_features()[:3])
    with pytest.raises(ShapeMismatch, match="16 bits, expected 32 bits"):
        _fitted("pq", 32).lookup_tables_of(codes)
