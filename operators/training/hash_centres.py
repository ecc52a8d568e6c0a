"""Target codes of classes, far apart from each other (as in CSQ, CVPR 2020, and OrthoHash, NeurIPS 2021)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NUM_DRAWS = 100


def hash_centres(num_classes: int, num_bits: int, seed: int) -> NDArray[np.float32]:
    """+1/-1 float32 `(num_classes, num_bits)`.

    Rows of a Hadamard matrix and their negatives, where `num_bits` is a power of two with room for all classes: any two
    differ in half of the bits or in all. Otherwise random signs: of many draws the one whose two nearest rows are
    farthest apart.
    """
    if num_bits & (num_bits - 1) == 0 and num_classes <= 2 * num_bits:
        hadamard = _hadamard(num_bits)
        return np.concatenate([hadamard, -hadamard])[:num_classes]
    rng = np.random.default_rng(seed)
    draws = [rng.choice(np.array([-1, 1], np.float32), (num_classes, num_bits)) for _ in range(_NUM_DRAWS)]
    return max(draws, key=smallest_distance)


def smallest_distance(centres: NDArray[np.float32]) -> int:
    """Bits in which the two nearest rows differ."""
    inner = centres @ centres.T - 2 * centres.shape[1] * np.eye(len(centres), dtype=np.float32)
    return int((centres.shape[1] - inner.max()) // 2)


def _hadamard(size: int) -> NDArray[np.float32]:
    """Sylvester's construction."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
