"""`ExactDistances`: squared distances whose every bit depends on the row alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.quantization.exact_projection import ExactProjection


class ExactDistances:
    """From float32 rows to `centres`, float32 `(num_centres, num_dims)`; inner products are those of
    `ExactProjection`, so neither the batch nor the number of threads changes a distance."""

    def __init__(self, centres: NDArray[np.float32]) -> None:
        origin = np.zeros(centres.shape[1], np.float32)
        self._inner = ExactProjection(origin, np.ascontiguousarray(centres.T))
        self._lengths = np.square(centres, dtype=np.float64).sum(axis=1)

    def squared(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32 `(num_items, num_dims)` -> float64 `(num_items, num_centres)`, never negative. Raises
        `ShapeMismatch`, `NonFiniteFeatures`."""
        inner = self._inner.project(features)
        own = np.square(np.ascontiguousarray(features), dtype=np.float64).sum(axis=1)[:, None]
        return np.asarray(np.maximum(self._lengths - 2 * inner + own, 0), np.float64)
