"""Every code within a radius of many queries, at the speed of memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.code_tiles import asked_of, in_whole_masks, load_tile, mask_of_first, new_tile
from operators.kernels.compiled import compiled
from operators.kernels.near_masks import CODES_PER_MASK, differing_bits, near_mask, trailing_zeros, word_at
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
    num_words, tile = asked.planes.shape
    word_bytes = asked.planes.itemsize
    code_bytes = num_words * word_bytes
    for start in range(first, num_codes, tile):
        count = min(tile, num_codes - start)
        planes = load_tile(codes + code_bytes * start, count, asked)
        num_before = num_found
        for query in range(asked.num_queries):
            question = asked.queries + code_bytes * query
            for place in range(0, count, CODES_PER_MASK):
                mask = near_mask(planes + word_bytes * place, tile, question, found.below, asked.width)
                if mask == 0:
                    continue
                mask &= mask_of_first(count - place)
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
    return num_found, num_codes
