"""Principal components against the covariance matrix, and their fixed sign."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.hashers.principal_components import principal_components


def _features(seed: int, num_items: int, num_dims: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((num_items, num_dims)) * np.arange(1, num_dims + 1) + 3).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), num_items=st.integers(2, 40), num_dims=st.integers(1, 12))
def test_directions_diagonalise_the_covariance(seed: int, num_items: int, num_dims: int) -> None:
    features = _features(seed, num_items, num_dims)
    mean, variances, directions = principal_components(features)
    covariance = np.cov(features.T.astype(np.float64), bias=True).reshape(num_dims, num_dims)
    np.testing.assert_allclose(mean, features.mean(axis=0, dtype=np.float64), atol=1e-12)
    np.testing.assert_allclose(directions.T @ directions, np.eye(num_dims), atol=1e-9)
    np.testing.assert_allclose(directions.T @ covariance @ directions, np.diag(variances), atol=1e-7 * variances[0])
    assert (np.diff(variances) <= 1e-9 * variances[0]).all()


def test_largest_entry_of_each_direction_is_positive() -> None:
    _, _, directions = principal_components(_features(1, 60, 9))
    assert (directions[np.abs(directions).argmax(axis=0), np.arange(9)] > 0).all()


def test_blocks_of_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    features = _features(2, 50, 6)
    whole = principal_components(features)
    monkeypatch.setattr("operators.hashers.principal_components._ROWS_PER_BLOCK", 7)
    for part, expected in zip(principal_components(features), whole, strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-9)
