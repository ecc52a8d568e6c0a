import numpy as np
import pytest

from operators.hashers.spread_codes import spread_codes


def _features(num_dims: int = 6) -> np.ndarray:
    scales = np.geomspace(4, 0.5, num_dims)
    return (np.random.default_rng(0).standard_normal((200, num_dims)) * scales + 5).astype(np.float32)


def test_codes_are_rotated_principal_components() -> None:
    features = _features()
    codes = spread_codes(features, num_bits=3, scale=0.01, seed=0).astype(np.float64)
    assert np.sqrt(np.square(codes).mean()) == pytest.approx(0.01, rel=1e-4)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-6)
    centred = features - features.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    best = centred @ directions[:3].T
    # Rotations keep inner products: those of the codes are those of the components, but for one factor.
    expected = best @ best.T
    np.testing.assert_allclose(codes @ codes.T * (np.trace(expected) / np.trace(codes @ codes.T)), expected, atol=1e-3)


def test_more_bits_than_dimensions_keep_all_distances() -> None:
    features = _features(num_dims=4)
    codes = spread_codes(features, num_bits=9, scale=1.0, seed=0)
    assert codes.shape == (200, 9)
    ratios = np.linalg.norm(codes[1:] - codes[0], axis=1) / np.linalg.norm(features[1:] - features[0], axis=1)
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
    assert (codes.std(axis=0) > 0.1).all()


def test_the_seed_draws_the_rotation() -> None:
    codes = [spread_codes(_features(), num_bits=3, scale=1.0, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert np.abs(codes[0] - codes[2]).max() > 0.1
