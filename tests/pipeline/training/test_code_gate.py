"""The gate lets one code per class pass, and refuses codes that tell nothing apart."""

from __future__ import annotations

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.metrics.code_health import CodeHealth, code_health
from pipeline.errors import GateFailed
from pipeline.settings import GateSettings
from pipeline.training.code_gate import check_codes, check_tensors, demands_on_codes


def _health(bits: np.ndarray) -> CodeHealth:
    return code_health(BinaryCodes.from_bits(bits.astype(np.bool_)))


def _check(bits: np.ndarray, num_classes: int | None = None, **settings: float) -> None:
    health = _health(bits)
    demands = demands_on_codes(
        GateSettings.model_validate(settings),
        num_items=health.num_items,
        num_bits=health.num_bits,
        num_classes=num_classes,
    )
    check_codes(health, demands)


def _random_bits(num_items: int, num_bits: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((num_items, num_bits)) < 0.5


@pytest.mark.parametrize("num_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("seed", range(5))
def test_one_random_code_per_class_passes(num_classes: int, seed: int) -> None:
    codes = _random_bits(num_classes, 32, seed)
    _check(np.repeat(codes, 50, axis=0), num_classes)


def test_the_same_codes_are_too_few_for_a_method_without_labels() -> None:
    bits = np.repeat(_random_bits(10, 32), 100, axis=0)
    with pytest.raises(GateFailed, match="10 distinct codes, at least 31 expected"):
        _check(bits)


@pytest.mark.parametrize("num_classes", [None, 10])
def test_equal_codes_are_refused_with_all_figures(num_classes: int | None) -> None:
    with pytest.raises(GateFailed, match=r"1 distinct codes.*bit entropy 0\.000.*16 of 16 bits") as raised:
        _check(np.ones((500, 16)), num_classes)
    assert raised.value.exit_code == 5
    assert "--no-gate" in str(raised.value)


def test_dead_bits_are_refused() -> None:
    bits = _random_bits(500, 16)
    bits[:, :4] = False
    _check(bits)
    bits[:, 4] = True
    with pytest.raises(GateFailed, match="5 of 16 bits are equal in every code, at most 25% expected"):
        _check(bits)
    _check(bits, max_share_of_dead_bits=0.5)


def test_bits_that_hardly_ever_differ_are_refused() -> None:
    bits = np.zeros((1000, 8))
    rows = np.arange(40)
    bits[rows, rows % 8] = 1
    bits[rows, (rows // 8 + rows) % 8] = 1
    with pytest.raises(GateFailed, match=r"bit entropy 0\.0\d\d, at least 0\.1 expected"):
        _check(bits, min_distinct_codes=2)
    _check(bits, min_distinct_codes=2, min_bit_entropy=0.01)


def test_small_samples_and_short_codes_are_judged_by_what_is_possible() -> None:
    _check(np.array([[0, 1], [1, 0], [1, 1]]))
    _check(np.array([[0], [1]]))
    with pytest.raises(GateFailed):
        _check(np.array([[0], [0]]))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(value: float) -> None:
    weights = np.zeros((2, 3), np.float32)
    check_tensors({"weights": weights, "codes": np.zeros(3, np.uint8)})
    weights[1, 2] = value
    with pytest.raises(GateFailed, match="1 of 6 values of weights are NaN or infinite"):
        check_tensors({"weights": weights})
