"""SKLSH: bits against cosines, and Hamming distances that follow the kernel."""

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.shift_invariant_kernel_hashing import ShiftInvariantKernelHashing, mean_neighbor_distance


def _features(num_items: int = 300) -> np.ndarray:
    return (np.random.default_rng(4).standard_normal((num_items, 8)) + 2).astype(np.float32)


def _fitted(num_bits: int) -> ShiftInvariantKernelHashing:
    hasher = ShiftInvariantKernelHashing(num_bits=num_bits, seed=5, num_neighbors=20)
    hasher.fit(_features())
    return hasher


def test_bits_are_signs_of_shifted_cosines() -> None:
    hasher = _fitted(16)
    tensors = {name: np.asarray(tensor, np.float64) for name, tensor in hasher.tensors().items()}
    angles = (_features() - tensors["mean"]) @ tensors["projection"] + tensors["phases"]
    values = np.cos(angles) - np.cos(tensors["half_widths"])
    wrong = hasher.encode(_features()).to_bits() != (values >= 0)
    assert (np.abs(values[wrong]) < 1e-4).all()


def test_thresholds_are_spread_over_all_cosines() -> None:
    thresholds = np.cos(np.asarray(_fitted(2000).tensors()["half_widths"], np.float64))
    np.testing.assert_allclose(np.quantile(thresholds, [0.25, 0.5, 0.75]), [-0.5, 0, 0.5], atol=0.1)


def test_hamming_distance_rises_with_distance_until_it_levels_off() -> None:
    bits = _fitted(4000).encode(_features()).to_bits()
    distances = np.linalg.norm(_features()[1:] - _features()[0], axis=1)
    shares = (bits[1:] != bits[0]).mean(axis=1)
    assert np.corrcoef(distances, shares)[0, 1] > 0.7
    assert shares.max() < 0.5


def test_the_width_is_the_mean_distance_to_the_nearest() -> None:
    features = _features()
    every = np.linalg.norm(features[:, None] - features[None], axis=2)
    expected = np.sort(every, axis=1)[:, 1:6].mean()
    assert mean_neighbor_distance(features, 5, np.random.default_rng(0)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("features", "expected"), [(_features(20), "fewer than the 20 items"), (np.ones((50, 3), np.float32), "vary")]
)
def test_what_has_no_width_is_refused(features: np.ndarray, expected: str) -> None:
    with pytest.raises(InvalidSetting, match=expected):
        ShiftInvariantKernelHashing(num_bits=4, seed=0, num_neighbors=20).fit(features)
