"""Principal components of a feature matrix, with a fixed sign."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROWS_PER_BLOCK = 8192


def principal_components(
    features: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """float32 `(num_items, num_dims)` -> mean `(num_dims,)`, variances, and directions `(num_dims, num_dims)`.

    Directions are columns of length 1, by falling variance. An eigenvector's sign is arbitrary: here the entry of
    largest magnitude (the first of them) is positive. Sums are float64.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((features.shape[1], features.shape[1]))
    for start in range(0, len(features), _ROWS_PER_BLOCK):
        centred = features[start : start + _ROWS_PER_BLOCK] - mean
        scatter += centred.T @ centred
    variances, directions = np.linalg.eigh(scatter / len(features))
    variances, directions = variances[::-1], directions[:, ::-1]
    largest = np.abs(directions).argmax(axis=0)
    signs = np.where(directions[largest, np.arange(directions.shape[1])] < 0, -1.0, 1.0)
    return mean, variances, directions * signs
