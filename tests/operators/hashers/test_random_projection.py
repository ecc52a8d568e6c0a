"""LSH: random projections, one or many tables."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.random_projection import RandomProjection


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(0).random((200, 24), np.float32)


def test_bits_are_the_signs_of_a_normal_projection_of_the_centred_features(features: np.ndarray) -> None:
    hasher = RandomProjection(num_bits=12, seed=4)
    hasher.fit(features)
    normal = np.random.default_rng(4).standard_normal((12, 24))
    values = (features - features.mean(axis=0, dtype=np.float64)) @ normal.T
    certain = np.abs(values) > 1e-4
    assert certain.mean() > 0.99
    np.testing.assert_array_equal(hasher.encode(features).to_bits()[certain], (values >= 0)[certain])


def test_without_centring_the_mean_stays(features: np.ndarray) -> None:
    hasher = RandomProjection(num_bits=12, seed=4, center=False)
    hasher.fit(features)
    assert not hasher.tensors()["mean"].any()
    values = features @ np.random.default_rng(4).standard_normal((12, 24)).T
    certain = np.abs(values) > 1e-4
    np.testing.assert_array_equal(hasher.encode(features).to_bits()[certain], (values >= 0)[certain])


def test_fewer_tables_are_the_first_of_more(features: np.ndarray) -> None:
    few = RandomProjection(num_bits=5, seed=9, num_tables=2)
    many = RandomProjection(num_bits=5, seed=9, num_tables=6)
    few.fit(features)
    many.fit(features)
    assert (few.num_bits, many.num_bits, many.num_tables) == (10, 30, 6)
    np.testing.assert_array_equal(many.encode(features).to_bits()[:, :10], few.encode(features).to_bits())


def test_a_bit_collides_with_probability_one_minus_angle_over_pi() -> None:
    angle = np.pi / 3
    pair = np.array([[1, 0], [np.cos(angle), np.sin(angle)]], np.float32)
    hasher = RandomProjection(num_bits=4096, seed=1, center=False)
    hasher.fit(pair)
    bits = hasher.encode(pair).to_bits()
    # Five standard deviations of a mean of 4,096 coin throws.
    assert (bits[0] == bits[1]).mean() == pytest.approx(1 - angle / np.pi, abs=5 * 0.5 / 64)


def test_nothing_to_fit_and_impossible_settings() -> None:
    with pytest.raises(InvalidSetting, match=r"lsh.fit = 0 items: expected at least 1"):
        RandomProjection(num_bits=4, seed=0).fit(np.empty((0, 3), np.float32))
    with pytest.raises(InvalidSetting, match=r"lsh.num_bits = 0"):
        RandomProjection(num_bits=0, seed=0)
    with pytest.raises(InvalidSetting, match=r"lsh.num_tables = 0"):
        RandomProjection(num_bits=4, seed=0, num_tables=0)
