"""Spectral hashing: modes in order of their eigenvalues, bits against the sines of the paper."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import InvalidSetting, ShapeMismatch
from operators.hashers.principal_components import principal_components
from operators.hashers.spectral_hashing import SpectralHashing, smoothest_modes


def _features(num_items: int = 400) -> np.ndarray:
    rng = np.random.default_rng(2)
    return (rng.uniform(-1, 1, (num_items, 4)) * [8, 3, 2, 0.1] + 5).astype(np.float32)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_modes_are_the_smallest_eigenvalues_of_all(ranges: list[float], num_modes: int) -> None:
    axes, modes = smoothest_modes(np.array(ranges), num_modes)
    chosen = [(mode / ranges[axis]) for axis, mode in zip(axes.tolist(), modes.tolist(), strict=True)]
    every = sorted(mode / length for length in ranges for mode in range(1, num_modes + 1))
    assert chosen == pytest.approx(every[:num_modes])
    assert len({*zip(axes.tolist(), modes.tolist(), strict=True)}) == num_modes


def test_bits_are_signs_of_the_eigenfunctions() -> None:
    features = _features()
    hasher = SpectralHashing(num_bits=10, seed=0)
    hasher.fit(features)
    mean, _, directions = principal_components(features)
    components = (features - mean) @ directions
    lowest, length = components.min(axis=0), np.ptp(components, axis=0)
    axes, modes = smoothest_modes(length, 10)
    bits = hasher.encode(features).to_bits()
    disagreements = 0
    for row in range(len(features)):
        for bit, (axis, mode) in enumerate(zip(axes, modes, strict=True)):
            omega = mode * math.pi / length[axis]
            value = math.sin(omega * (components[row, axis] - lowest[axis]) + math.pi / 2)
            disagreements += (value >= 0) != bits[row, bit] and abs(value) > 1e-4
    assert disagreements == 0


def test_more_bits_than_dimensions_take_higher_modes() -> None:
    hasher = SpectralHashing(num_bits=40, seed=0)
    hasher.fit(_features())
    modes = hasher.tensors()["modes"]
    assert modes.max() > 1
    assert len(np.unique(hasher.encode(_features()).packed, axis=0)) > 100


def test_items_that_are_all_the_same_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="features that vary"):
        SpectralHashing(num_bits=4, seed=0).fit(np.ones((9, 3), np.float32))


@pytest.mark.parametrize("name", ["axes", "modes", "ranges", "projection"])
def test_tensors_that_do_not_fit_are_refused(name: str) -> None:
    hasher = SpectralHashing(num_bits=8, seed=0)
    hasher.fit(_features())
    tensors = hasher.tensors()
    for wrong in ({n: t for n, t in tensors.items() if n != name}, {**tensors, name: tensors[name][:1]}):
        with pytest.raises(ShapeMismatch, match="expected"):
            SpectralHashing.restore(hasher.settings(), wrong)
    numbers = np.asarray(tensors["axes"], np.int32) + np.int32(9)
    with pytest.raises(ShapeMismatch, match="out of range"):
        SpectralHashing.restore(hasher.settings(), {**tensors, "axes": numbers})
