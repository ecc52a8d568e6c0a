"""Spherical hashing: balanced spheres that share a quarter, bits by plain distances."""

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.spherical_hashing import SphericalHashing, balance_spheres, squared_distances


def _features(num_items: int = 2000) -> np.ndarray:
    return (np.random.default_rng(3).standard_normal((num_items, 12)) + 4).astype(np.float32)


def _shared(sample: np.ndarray, pivots: np.ndarray) -> np.ndarray:
    """Items inside both of two spheres, for every pair; each sphere holds half. By loops."""
    radii = [np.median(((sample - pivot) ** 2).sum(axis=1)) for pivot in pivots]
    inside = [((sample - p) ** 2).sum(axis=1) <= r for p, r in zip(pivots, radii, strict=True)]
    return np.array([(a & b).sum() for i, a in enumerate(inside) for j, b in enumerate(inside) if i < j])


def test_spheres_share_a_quarter_pair_by_pair() -> None:
    sample = _features().astype(np.float64) - 4
    rng = np.random.default_rng(0)
    start = np.stack([sample[rng.choice(len(sample), 5, replace=False)].mean(axis=0) for _ in range(8)])
    before, after = _shared(sample, start), _shared(sample, balance_spheres(sample, start, 200))
    quarter = len(sample) / 4
    assert np.abs(after - quarter).mean() <= 0.101 * quarter < np.abs(before - quarter).mean()


def test_bits_say_who_is_inside() -> None:
    features = _features()
    hasher = SphericalHashing(num_bits=6, seed=1)
    hasher.fit(features)
    tensors = {name: np.asarray(tensor, np.float64) for name, tensor in hasher.tensors().items()}
    bits = hasher.encode(features).to_bits()
    for row in range(0, len(features), 37):
        for bit in range(6):
            pivot = tensors["mean"] + tensors["projection"][:, bit]
            margin = tensors["squared_radii"][bit] - ((features[row] - pivot) ** 2).sum()
            assert bits[row, bit] == (margin >= 0) or abs(margin) < 1e-2
    assert abs(bits.mean(axis=0) - 0.5).max() < 0.01


def test_squared_distances() -> None:
    rows, pivots = _features(9).astype(np.float64), _features(4).astype(np.float64)[:3]
    expected = [[((row - pivot) ** 2).sum() for pivot in pivots] for row in rows]
    np.testing.assert_allclose(squared_distances(rows, pivots), expected, atol=1e-9)


def test_too_few_items_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="at least 8"):
        SphericalHashing(num_bits=4, seed=0).fit(_features(7))
