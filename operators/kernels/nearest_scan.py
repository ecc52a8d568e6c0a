"""The k nearest of many codes for many queries, at the speed of memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.code_tiles import asked_of, in_whole_masks, load_tile, new_tile, next_near
from operators.kernels.compiled import compiled
from operators.kernels.near_masks import CODES_PER_MASK, differing_bits, trailing_zeros, word_at
from operators.kernels.smallest_k import POSITION_BITS

_LEAST_CAPACITY = 256
NO_KEY = np.iinfo(np.int64).max
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

    def __init__(
        self, queries: NDArray[np.unsignedinteger], *, k: int, num_bits: int, below: int | None = None
    ) -> None:
        """`queries`: `(num_queries, num_words)` of `code_words`. Only distances less than `below` count, when given."""
        num_queries = len(queries)
        self._queries = np.ascontiguousarray(queries)
        self._planes = new_tile(queries)
        self._kept = _Kept(
            k=k,
            bounds=np.full(num_queries, num_bits + 1 if below is None else min(below, num_bits + 1), np.int64),
            num_below=np.zeros(num_queries, np.int64),
            counts=np.zeros((num_queries, num_bits + 1), np.int32),
            keys=np.empty((num_queries, max(2 * k, _LEAST_CAPACITY)), np.int64),
            num_keys=np.zeros(num_queries, np.int64),
        )

    @staticmethod
    def state_bytes(k: int, num_bits: int) -> int:
        """Bytes that one query takes."""
        return 8 * max(2 * k, _LEAST_CAPACITY) + 4 * (num_bits + 1)

    def feed(
        self, codes: NDArray[np.unsignedinteger], first_position: int, allowed: NDArray[np.uint64] | None = None
    ) -> None:
        """Codes `(num_codes, num_words)` of `code_words`, contiguous, from `first_position` on. `allowed`: a bitmap of
        those that may answer, bit j % 64 of word j // 64 for code j of the block. Other threads run meanwhile."""
        for start, count, words in in_whole_masks(codes):
            bitmap = None if allowed is None else allowed[start // CODES_PER_MASK :]
            asked = asked_of(self._queries, self._planes, bitmap)
            _feed(words.ctypes.data, count, first_position + start, asked, self._kept)

    def sorted_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Composite keys int64 `(num_queries, most)` in order, `NO_KEY` past a row's count; counts int64
        `(num_queries,)`."""
        kept = self._kept
        for query in range(len(kept.bounds)):
            _drop_what_lost(query, kept)
        most = int(kept.num_keys.max(initial=0))
        keys = kept.keys[:, :most].copy()
        keys[np.arange(most)[None, :] >= kept.num_keys[:, None]] = NO_KEY
        keys.sort(axis=1)
        return keys, kept.num_keys.copy()


@compiled
def _feed(codes: Any, num_codes: Any, first_position: Any, asked: Any, kept: Any) -> None:
    """`codes` is an address."""
    num_words, tile_codes = asked.planes.shape
    code_bytes = num_words * asked.planes.itemsize
    for start in range(0, num_codes, tile_codes):
        count = min(tile_codes, num_codes - start)
        tile = (load_tile(codes + code_bytes * start, count, asked), tile_codes, asked.planes.itemsize, count)
        for query in range(asked.num_queries):
            bound = kept.bounds[query]
            question = asked.queries + code_bytes * query
            place, mask = next_near(tile, 0, question, bound, asked.width)
            while mask != 0:
                if asked.allowed != 0:
                    mask &= word_at(asked.allowed, (start + place) // CODES_PER_MASK)
                while mask != 0:
                    code = start + place + trailing_zeros(mask)
                    mask &= mask - _ONE
                    distance = differing_bits(codes + code_bytes * code, question, asked.width)
                    if distance < bound:
                        bound = _keep(query, distance, first_position + code, kept)
                place, mask = next_near(tile, place + CODES_PER_MASK, question, bound, asked.width)


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
