"""Target codes of classes, far apart from each other (as in CSQ, CVPR 2020, and OrthoHash, NeurIPS 2021)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NUM_DRAWS = 100


def hash_centres(num_classes: int, num_bits: int, seed: int) -> NDArray[np.float32]:
    """+1/-1 float32 `(num_classes, num_bits)`.

    Where `num_bits` is a power of two with room for all classes: rows of a Hadamard matrix, any two of which differ in
    half of the bits, negated or not (or both, when there are more classes than bits: those two differ in all).
    Otherwise random signs: of many draws the one whose two nearest rows are farthest apart. Of equally good draws the
    one is taken whose most one-sided bit is the least so: a bit that all classes share would say nothing.
    """
    rng = np.random.default_rng(seed)
    if num_bits & (num_bits - 1) == 0 and num_classes <= 2 * num_bits:
        draws = [_hadamard_rows(num_classes, num_bits, rng) for _ in range(_NUM_DRAWS)]
        return min(draws, key=largest_imbalance)
    draws = [rng.choice(np.array([-1, 1], np.float32), (num_classes, num_bits)) for _ in range(_NUM_DRAWS)]
    return max(draws, key=lambda centres: (smallest_distance(centres), -largest_imbalance(centres)))


def largest_imbalance(centres: NDArray[np.float32]) -> int:
    """Of the bit where it is largest: how many more classes have one sign than the other."""
    return int(np.abs(centres.sum(axis=0)).max())


def smallest_distance(centres: NDArray[np.float32]) -> int:
    """Bits in which the two nearest rows differ."""
    inner = centres @ centres.T - 2 * centres.shape[1] * np.eye(len(centres), dtype=np.float32)
    return int((centres.shape[1] - inner.max()) // 2)


def _hadamard_rows(num_classes: int, num_bits: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Different rows with random signs; then their negatives, for classes beyond the number of bits."""
    rows = _hadamard(num_bits)[rng.permutation(num_bits)] * rng.choice(np.array([-1, 1], np.float32), (num_bits, 1))
    return np.concatenate([rows, -rows])[:num_classes]


def _hadamard(size: int) -> NDArray[np.float32]:
    """Sylvester's construction."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
