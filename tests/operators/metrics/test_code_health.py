import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.metrics.code_health import code_health


def test_every_code_once_is_perfectly_healthy() -> None:
    health = code_health(BinaryCodes(np.arange(256, dtype=np.uint8)[:, None], 8))
    assert health.min_share_of_ones == health.max_share_of_ones == 0.5
    assert health.mean_bit_entropy == pytest.approx(1)
    assert health.mean_abs_correlation == pytest.approx(0, abs=1e-6)
    assert (health.num_distinct_codes, health.num_constant_bits) == (256, 0)
    assert health.largest_share == pytest.approx(1 / 256)


def test_one_repeated_code_carries_no_information() -> None:
    health = code_health(BinaryCodes.from_bits(np.tile([True, False, True], (10, 1))))
    assert (health.num_distinct_codes, health.num_constant_bits, health.largest_share) == (1, 3, 1.0)
    assert health.mean_bit_entropy == health.mean_abs_correlation == 0


def test_copied_and_inverted_bits_are_fully_correlated() -> None:
    bit = np.random.default_rng(0).random(500) < 0.3
    health = code_health(BinaryCodes.from_bits(np.stack([bit, bit, ~bit], axis=1)))
    assert health.mean_abs_correlation == pytest.approx(1, abs=1e-5)
    assert health.num_distinct_codes == 2


def test_correlation_equals_numpy() -> None:
    bits = np.random.default_rng(1).random((300, 5)) < [0.2, 0.4, 0.5, 0.7, 0.9]
    correlation = np.abs(np.corrcoef(bits.astype(float).T))
    expected = correlation[~np.eye(5, dtype=bool)].mean()
    assert code_health(BinaryCodes.from_bits(bits)).mean_abs_correlation == pytest.approx(expected, abs=1e-5)


def test_entropy_of_a_quarter() -> None:
    bits = np.array([[True], [False], [False], [False]])
    assert code_health(BinaryCodes.from_bits(bits)).mean_bit_entropy == pytest.approx(0.811278, abs=1e-6)


def test_no_codes_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="codes"):
        code_health(BinaryCodes(np.zeros((0, 1), np.uint8), 8))
