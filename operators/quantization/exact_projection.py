"""`ExactProjection`: a matrix product whose every bit depends on the row alone.

BLAS picks its kernels and splits its sums by batch size, thread count and processor, so that a value near zero may
change its sign. Here both factors are rounded to whole numbers so small that float64 adds their products without
any rounding: then every order of summation gives the same result, on every machine (the idea of Ozaki et al.,
"Error-free transformations of matrix multiplication", Numerical Algorithms 59, 2012).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from operators.errors import NotFitted, ShapeMismatch
from operators.quantization.feature_rows import check_feature_rows

_EXACT_BITS = 53
_VALUES_PER_BLOCK = 2**20


class ExactProjection:
    """`(x - mean) @ matrix` for float32 rows x; `mean` float32 `(num_dims,)`, `matrix` float32 `(num_dims, num_bits)`.

    Rows and columns are rounded relative to their largest value, to 22 bits at 512 dimensions (20 at 12,288).
    Raises `ShapeMismatch` when the tensors do not fit together or hold NaN or infinity.
    """

    def __init__(self, mean: NDArray[np.float32], matrix: NDArray[np.float32]) -> None:
        if mean.dtype != np.float32 or matrix.dtype != np.float32 or matrix.ndim != 2 or mean.shape != matrix.shape[:1]:
            given = f"{mean.dtype} {mean.shape} and {matrix.dtype} {matrix.shape}"
            raise ShapeMismatch("mean and matrix", given, "float32 (num_dims,) and float32 (num_dims, num_bits)")
        if not (np.isfinite(mean).all() and np.isfinite(matrix).all()):
            raise ShapeMismatch("mean and matrix", "NaN or infinity", "finite values")
        self.mean = mean
        self.matrix = matrix
        sum_bits = math.ceil(math.log2(matrix.shape[0]))
        self._row_bits = (_EXACT_BITS - sum_bits + 1) // 2
        matrix_bits = _EXACT_BITS - sum_bits - self._row_bits
        self._whole_matrix, self._column_units = _whole_numbers(matrix.astype(np.float64), matrix_bits, axis=0)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]], *, method: str, num_bits: int) -> ExactProjection:
        """The inverse of `tensors()`. Raises `NotFitted` when one is missing, `ShapeMismatch` for another width."""
        if tensors.keys() != {"mean", "projection"}:
            if not tensors:
                raise NotFitted(method)
            raise ShapeMismatch(f"{method} tensors", ", ".join(sorted(tensors)), "mean, projection")
        mean, matrix = tensors["mean"], tensors["projection"]
        if mean.dtype != np.float32 or matrix.dtype != np.float32 or matrix.shape[1:] != (num_bits,):
            given = f"{mean.dtype} and {matrix.dtype} {matrix.shape}"
            raise ShapeMismatch(f"{method} projection", given, f"float32 (num_dims, {num_bits})")
        return cls(np.asarray(mean, dtype=np.float32), np.asarray(matrix, dtype=np.float32))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        return {"mean": self.mean, "projection": self.matrix}

    def project(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32 `(num_items, num_dims)` -> float64 `(num_items, num_bits)`; `ShapeMismatch`, `NonFiniteFeatures`."""
        check_feature_rows(features, len(self.mean))
        projected = np.empty((len(features), self.matrix.shape[1]))
        step = max(1, _VALUES_PER_BLOCK // len(self.mean))
        for start in range(0, len(features), step):
            rows = features[start : start + step].astype(np.float64) - self.mean
            whole_rows, row_units = _whole_numbers(rows, self._row_bits, axis=1)
            projected[start : start + step] = (whole_rows @ self._whole_matrix) * row_units * self._column_units
        return projected


def _whole_numbers(
    values: NDArray[np.float64], num_bits: int, *, axis: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whole numbers of at most 2**num_bits, and the power of two (kept per row or column) that scales them back."""
    exponent = np.frexp(np.abs(values).max(axis=axis, keepdims=True))[1] - num_bits
    return np.rint(values * np.ldexp(1.0, -exponent)), np.ldexp(1.0, exponent)
