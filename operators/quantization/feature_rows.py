"""Checks on a matrix of features before it is hashed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import NonFiniteFeatures, ShapeMismatch


def check_feature_rows(features: NDArray[np.float32], num_dims: int | None = None) -> None:
    """Raises `ShapeMismatch` unless float32 `(num_items, num_dims)`, `NonFiniteFeatures` for rows with NaN or inf."""
    width_fits = features.ndim == 2 and features.shape[1] > 0 and num_dims in (None, features.shape[1])
    if features.dtype != np.float32 or not width_fits:
        expected = f"float32 (num_items, {'num_dims' if num_dims is None else num_dims})"
        raise ShapeMismatch("features", f"{features.dtype} {features.shape}", expected)
    bad_rows = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad_rows):
        raise NonFiniteFeatures(tuple(bad_rows.tolist()))
