"""Principal components of a feature matrix, with a fixed sign."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting

_ROWS_PER_BLOCK = 8192
# Below this share of the largest variance a direction is rounding noise, and a bit of it would mean nothing.
_NO_VARIANCE = 1e-10


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


def num_varying_directions(variances: NDArray[np.float64]) -> int:
    """How many directions features vary in, from variances by falling size."""
    return int(np.count_nonzero(variances > _NO_VARIANCE * variances[0])) if variances[0] > 0 else 0


def varying_components(
    features: NDArray[np.float32], num_components: int, method: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean `(num_dims,)` and the first principal directions `(num_dims, num_components)`.

    Raises `InvalidSetting` for `<method>.num_bits` when there are not more items than components, or when features vary
    in fewer directions.
    """
    num_items, num_dims = features.shape
    name, given = f"{method}.num_bits", str(num_components)
    if num_components > num_dims:
        raise InvalidSetting(name, given, f"at most {num_dims}, the feature dimensions")
    if num_items <= num_components:
        raise InvalidSetting(name, given, f"fewer than the {num_items} items to learn from; give more items")
    mean, variances, directions = principal_components(features)
    num_varying = num_varying_directions(variances)
    if num_varying < num_components:
        raise InvalidSetting(name, given, f"at most {num_varying}, the directions in which features vary")
    return mean, directions[:, :num_components]
