"""Floats as whole numbers in the same order, so that a distance and a position fit in one number that sorts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INFINITY = 0xFF800000
"""The number of infinity; that of minus infinity is 2**32 - 1 minus it."""
_SIGN = np.uint32(1 << 31)


def sortable_numbers(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Whole numbers in the order of the (finite) floats; -0 and 0 become one number."""
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def sorted_floats(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """The inverse of `sortable_numbers`."""
    bits = numbers.astype(np.uint32)
    return np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32)
