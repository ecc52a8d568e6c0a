"""Synthetic codes that lie together as those of pictures do: centres, and codes a few bits from one of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes

CODES_PER_CENTRE = 20
MAX_FLIPPED = 6
_BLOCK = 2**20


def clustered_codes(num_codes: int, num_bits: int, *, seed: int) -> BinaryCodes:
    """One random centre for every `CODES_PER_CENTRE` codes; a code is a centre drawn at random in which each of
    `MAX_FLIPPED` bits drawn at random is flipped with probability 1/2. Two codes of a centre are 6 bits apart on
    average, at most 12; 1 in 64 codes is its centre itself, so that codes repeat."""
    random = np.random.default_rng(seed)
    centres = random.integers(0, 256, (max(1, num_codes // CODES_PER_CENTRE), num_bits // 8), dtype=np.uint8)
    packed = np.empty((num_codes, num_bits // 8), np.uint8)
    for start in range(0, num_codes, _BLOCK):
        block = centres[random.integers(0, len(centres), min(_BLOCK, num_codes - start))]
        packed[start : start + _BLOCK] = _some_flipped(block, random)
    return BinaryCodes(packed, num_bits)


def near_codes(codes: BinaryCodes, num_queries: int, *, seed: int) -> BinaryCodes:
    """Codes of items drawn at random, flipped once more in the same way: 3 bits from an item on average."""
    random = np.random.default_rng(seed)
    drawn = codes.packed[random.integers(0, len(codes), num_queries)]
    return BinaryCodes(_some_flipped(drawn, random), codes.num_bits)


def _some_flipped(packed: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    num_codes, num_bytes = packed.shape
    flipped = packed.copy()
    for _ in range(MAX_FLIPPED):
        bits = random.integers(0, 8 * num_bytes, num_codes)
        ones = (128 >> (bits % 8)).astype(np.uint8) * random.integers(0, 2, num_codes, dtype=np.uint8)
        flipped[np.arange(num_codes), bits // 8] ^= ones
    return flipped
