"""Every code within a radius of many queries, at the speed of memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.code_tiles import asked_of, in_whole_masks, load_tile, new_tile, next_near
from operators.kernels.compiled import compiled
from operators.kernels.near_masks import CODES_PER_MASK, differing_bits, trailing_zeros, word_at
from operators.kernels.smallest_k import POSITION_BITS

_LEAST_CAPACITY = 1024
_ONE = np.uint64(1)


class _Found(NamedTuple):
    """Room for entries: queries and composite keys. Distances less than `below` enter."""

    below: int
    rows: NDArray[np.int64]
    keys: NDArray[np.int64]


class RadiusScan:
    """Collects what lies within `radius` bits (inclusive) of each query while codes pass by.

    Memory: 16 bytes per answer, twice that while the room for them grows.
    """

    def __init__(self, queries: NDArray[np.unsignedinteger], *, radius: int, num_bits: int) -> None:
        """`queries`: `(num_queries, num_words)` of `code_words`."""
        self._queries = np.ascontiguousarray(queries)
        self._planes = new_tile(queries)
        self._below = min(radius, num_bits) + 1
        self._rows = np.empty(_LEAST_CAPACITY, np.int64)
        self._keys = np.empty(_LEAST_CAPACITY, np.int64)
        self._num_found = 0

    def feed(
        self, codes: NDArray[np.unsignedinteger], first_position: int, allowed: NDArray[np.uint64] | None = None
    ) -> None:
        """As `NearestScan.feed`; here the order of blocks does not matter."""
        for start, count, words in in_whole_masks(codes):
            bitmap = None if allowed is None else allowed[start // CODES_PER_MASK :]
            asked = asked_of(self._queries, self._planes, bitmap)
            done = 0
            while done < count:
                found = _Found(self._below, self._rows, self._keys)
                span = (done, count, first_position + start)
                self._num_found, done = _collect(words.ctypes.data, span, asked, found, self._num_found)
                if done < count:
                    self._grow()

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Queries and composite keys (distance, position) int64 `(num_found,)`, in no order."""
        return self._rows[: self._num_found], self._keys[: self._num_found]

    def _grow(self) -> None:
        self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._keys = np.concatenate([self._keys, np.empty_like(self._keys)])


@compiled
def _collect(codes: Any, span: Any, asked: Any, found: Any, num_found: Any) -> Any:
    """Tile by tile until the room is full: the number of entries of whole tiles, and the first code not looked at.
    `codes` is an address; `span`: first code, number of codes, position of code 0."""
    first, num_codes, first_position = span
    num_words, tile_codes = asked.planes.shape
    code_bytes = num_words * asked.planes.itemsize
    for start in range(first, num_codes, tile_codes):
        count = min(tile_codes, num_codes - start)
        tile = (load_tile(codes + code_bytes * start, count, asked), tile_codes, asked.planes.itemsize, count)
        num_before = num_found
        for query in range(asked.num_queries):
            question = asked.queries + code_bytes * query
            place, mask = next_near(tile, 0, question, found.below, asked.width)
            while mask != 0:
                if asked.allowed != 0:
                    mask &= word_at(asked.allowed, (start + place) // CODES_PER_MASK)
                while mask != 0:
                    if num_found == len(found.rows):
                        return num_before, start
                    code = start + place + trailing_zeros(mask)
                    mask &= mask - _ONE
                    distance = differing_bits(codes + code_bytes * code, question, asked.width)
                    found.rows[num_found] = query
                    found.keys[num_found] = (distance << POSITION_BITS) | (first_position + code)
                    num_found += 1
                place, mask = next_near(tile, place + CODES_PER_MASK, question, found.below, asked.width)
    return num_found, num_codes
