"""The rotation of ITQ: orthogonal, and the quantization error never rises."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.hashers.quantization_rotation import learn_rotation


def _projected(seed: int, num_items: int, num_bits: int) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((num_items, num_bits)) * np.arange(num_bits, 0, -1)
    centred: np.ndarray = values - values.mean(axis=0)
    return centred


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), num_items=st.integers(2, 80), num_bits=st.integers(1, 16))
def test_error_never_rises_and_the_rotation_is_orthogonal(seed: int, num_items: int, num_bits: int) -> None:
    rotation = learn_rotation(_projected(seed, num_items, num_bits), num_iterations=20, seed=seed)
    errors = np.array(rotation.errors)
    assert len(errors) == 21
    assert (np.diff(errors) <= 1e-9 * errors[:-1]).all()
    np.testing.assert_allclose(rotation.matrix.T @ rotation.matrix, np.eye(num_bits), atol=1e-9)


def test_errors_are_those_of_the_definition() -> None:
    projected = _projected(1, 30, 4)
    rotation = learn_rotation(projected, num_iterations=5, seed=1)
    rotated = projected @ rotation.matrix
    total = sum((1 - abs(value)) ** 2 for row in rotated for value in row)
    assert np.isclose(rotation.errors[-1], total / 30)
    assert rotation.errors[-1] < rotation.errors[0]


def test_corners_of_a_rotated_cube_are_found_again() -> None:
    rng = np.random.default_rng(3)
    corners = np.where(rng.random((400, 3)) < 0.5, -1.0, 1.0)
    hidden, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    rotation = learn_rotation(corners @ hidden, num_iterations=100, seed=0)
    assert rotation.errors[-1] < 1e-20
