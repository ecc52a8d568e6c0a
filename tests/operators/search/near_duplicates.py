"""Codes among which some are equal and some nearly so, and all near pairs found the slow way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes

Pair = tuple[int, int, int]


def clustered_codes(num_codes: int, num_bits: int, *, seed: int, most_flips: int = 4) -> BinaryCodes:
    """Random codes, each a copy of one of a third as many, with up to `most_flips` bits changed."""
    rng = np.random.default_rng(seed)
    originals = rng.random((num_codes // 3 + 1, num_bits)) < 0.5
    bits = originals[rng.integers(0, len(originals), num_codes)]
    for row, num_flips in enumerate(rng.integers(0, most_flips + 1, num_codes)):
        bits[row, rng.integers(0, num_bits, num_flips)] ^= True
    return BinaryCodes.from_bits(bits)


def pairs_by_force(codes: BinaryCodes, others: BinaryCodes | None, radius: int) -> list[Pair]:
    """(left, right, distance) of every pair within the radius, sorted; within one set left < right."""
    rows = codes.to_bits()
    other_rows = rows if others is None else others.to_bits()
    found = []
    for left, row in enumerate(rows):
        for right in range(left + 1 if others is None else 0, len(other_rows)):
            distance = int(np.sum(row != other_rows[right]))
            if distance <= radius:
                found.append((left, right, distance))
    return found


def as_pairs(expanded: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]) -> list[Pair]:
    return list(zip(*(array.tolist() for array in expanded), strict=True))
