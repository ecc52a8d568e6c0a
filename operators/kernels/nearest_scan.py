"""The k nearest of many codes for many queries, at the speed of memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.near_masks import CODES_PER_MASK, near_mask, popcount, trailing_zeros
from operators.kernels.smallest_k import POSITION_BITS, split_keys

_TILE_WORDS = 4096  # 32 KiB of codes: they stay in the first cache while every query looks at them
_LINE_WORDS = 8
_MANY_QUERIES = 4
_LEAST_CAPACITY = 256
_NO_KEY = np.iinfo(np.int64).max
_ONE = np.uint64(1)


class _Kept(NamedTuple):
    """What is kept of each query: entries as (distance, position) in one number, in the order they came.

    `bounds`: only a distance less than this may enter; `num_below`: entries less than the bound; `counts` by distance.
    """

    k: int
    bounds: NDArray[np.int64]
    num_below: NDArray[np.int64]
    counts: NDArray[np.int64]
    keys: NDArray[np.int64]
    num_keys: NDArray[np.int64]


class NearestScan:
    """Keeps the `k` nearest of each query while codes pass by in ascending order of position; ties to the lower one.

    Fed block by block it gives what one block of all codes gives, to the byte. Bounds fall as codes pass, so that later
    blocks are faster. Memory: 16 bytes times `num_queries` times `k`, 2 KiB a query at least.
    """

    def __init__(self, queries: NDArray[np.uint64], *, k: int, num_bits: int, below: int | None = None) -> None:
        """`queries` uint64 `(num_queries, num_words)`. Only distances less than `below` count, when it is given."""
        num_queries, num_words = queries.shape
        self._queries = np.ascontiguousarray(queries)
        self._width = (0,) * num_words
        self._kept = _Kept(
            k=k,
            bounds=np.full(num_queries, num_bits + 1 if below is None else min(below, num_bits + 1), np.int64),
            num_below=np.zeros(num_queries, np.int64),
            counts=np.zeros((num_queries, num_bits + 1), np.int64),
            keys=np.empty((num_queries, max(2 * k, _LEAST_CAPACITY)), np.int64),
            num_keys=np.zeros(num_queries, np.int64),
        )

    def feed(self, codes: NDArray[np.uint64], first_position: int, allowed: NDArray[np.uint64] | None = None) -> None:
        """Codes uint64 `(num_codes, num_words)`, contiguous, from `first_position` on. `allowed`: a bitmap of those
        that may answer, bit j % 64 of word j // 64 for code j of the block. Other threads run meanwhile."""
        bitmap = np.empty(0, np.uint64) if allowed is None else allowed
        _feed(codes, self._queries, self._width, first_position, bitmap, self._kept)

    def sorted_entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Distances and positions int64 `(num_queries, most)` in order, and counts int64 `(num_queries,)`; entries past
        a row's count are meaningless."""
        kept = self._kept
        for query in range(len(kept.bounds)):
            _drop_what_lost(query, kept)
        most = int(kept.num_keys.max(initial=0))
        keys = kept.keys[:, :most].copy()
        keys[np.arange(most)[None, :] >= kept.num_keys[:, None]] = _NO_KEY
        keys.sort(axis=1)
        return *split_keys(keys), kept.num_keys.copy()


@compiled
def _feed(codes: Any, queries: Any, width: Any, first_position: Any, allowed: Any, kept: Any) -> None:
    num_codes, num_words = codes.shape
    tile = max(CODES_PER_MASK, _TILE_WORDS // num_words // CODES_PER_MASK * CODES_PER_MASK)
    spare = np.zeros(num_words * tile + _LINE_WORDS, np.uint64)
    skipped = (-spare.ctypes.data // 8) % _LINE_WORDS  # a vector that starts a cache line is read at once
    planes = spare[skipped : skipped + num_words * tile].reshape(num_words, tile)
    asked = queries.ctypes.data
    for start in range(0, num_codes, tile):
        count = min(tile, num_codes - start)
        address = planes.ctypes.data
        if num_words == 1 and count == tile and len(queries) < _MANY_QUERIES:
            address = codes.ctypes.data + 8 * start  # one plane already, not worth a copy
        else:
            for place in range(count):
                for word in range(num_words):
                    planes[word, place] = codes[start + place, word]
        for query in range(len(queries)):
            bound = kept.bounds[query]
            for place in range(0, count, CODES_PER_MASK):
                mask = near_mask(address + 8 * place, tile, asked + 8 * num_words * query, bound, width)
                if place + CODES_PER_MASK > count:
                    mask &= (_ONE << np.uint64(count - place)) - _ONE
                if len(allowed) > 0:
                    mask &= allowed[(start + place) // CODES_PER_MASK]
                while mask != 0:
                    code = start + place + trailing_zeros(mask)
                    mask &= mask - _ONE
                    distance = 0
                    for word in range(num_words):
                        distance += popcount(codes[code, word] ^ queries[query, word])
                    if distance < bound:
                        bound = _keep(query, distance, first_position + code, kept)


@compiled
def _keep(query: Any, distance: Any, position: Any, kept: Any) -> Any:
    """An entry less than the bound; the new bound. Once k entries are at a distance or nearer, a later one at that
    distance loses."""
    kept.keys[query, kept.num_keys[query]] = (distance << POSITION_BITS) | position
    kept.num_keys[query] += 1
    kept.counts[query, distance] += 1
    kept.num_below[query] += 1
    while kept.num_below[query] >= kept.k:
        kept.bounds[query] -= 1
        kept.num_below[query] -= kept.counts[query, kept.bounds[query]]
    if kept.num_keys[query] == kept.keys.shape[1]:
        _drop_what_lost(query, kept)
    return kept.bounds[query]


@compiled
def _drop_what_lost(query: Any, kept: Any) -> None:
    """Entries beyond the bound, and at the bound all but the first that fill up to k."""
    bound, room = kept.bounds[query], kept.k - kept.num_below[query]
    num_left = 0
    for place in range(kept.num_keys[query]):
        key = kept.keys[query, place]
        distance = key >> POSITION_BITS
        if distance == bound:
            room -= 1
        if distance < bound or (distance == bound and room >= 0):
            kept.keys[query, num_left] = key
            num_left += 1
    kept.num_keys[query] = num_left
