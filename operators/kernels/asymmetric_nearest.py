"""The k nearest of many quantized codes for many queries by lookup tables, in compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.lookup_masks import (
    CODES_PER_LOOKUP,
    byte_at,
    byte_planes,
    byte_planes_apart,
    byte_planes_of_pairs,
    has_byte_lookup,
    lookup_masks,
)
from operators.kernels.near_masks import CODES_PER_MASK, trailing_zeros, word_at
from operators.kernels.smallest_k import WIDE_POSITION_BITS
from operators.kernels.sortable_floats import INFINITY, sorted_floats

_TILE_BYTES = 16 * 2**10
_SMALL_TILE_BYTES = 4 * 2**10  # for few queries: codes come from memory while others are looked up
_MANY_QUERIES = 4
_CODES_PER_SUM = 4
_SUMS_PER_TILE = 256
_LEAST_CAPACITY = 64
_NO_KEY = np.iinfo(np.int64).max
_ONE = np.uint64(1)
_SIGN = 2**31
_ALL_ONES = 2**32 - 1
_ANY_SUM = 255
_ROUNDING = 2.0**-23  # twice what one addition may lose, of the largest sum
_HAS_BYTE_LOOKUP = has_byte_lookup()


class _Kept(NamedTuple):
    """What is kept of each query: entries as (distance's number, position) in one number, in any order.

    `bounds`: only a sum less than this may enter; `bound_bits` is the same memory. `total`: room for one sum.
    """

    k: int
    bounds: NDArray[np.float32]
    bound_bits: NDArray[np.uint32]
    keys: NDArray[np.int64]
    num_keys: NDArray[np.int64]
    total: NDArray[np.float32]


class _Tables(NamedTuple):
    """`values` float32 `(num_queries, num_codebooks, 256)`; `terms` uint8: the way from the least value of a table, in
    steps of 1 / `scales`, rounded down. A code whose sum is less than the bound has terms that add to at most `most`.
    `floors`: what no sum is less than."""

    values: NDArray[np.float32]
    terms: NDArray[np.uint8]
    scales: NDArray[np.float64]
    floors: NDArray[np.float64]
    most: NDArray[np.int64]


class _Block(NamedTuple):
    """Codes in words of 8 bytes, and a bitmap of those that may answer (0: all may), by their addresses."""

    words: int
    num_codes: int
    num_words: int
    first_position: int
    allowed: int


class AsymmetricNearest:
    """Keeps the `k` nearest of each query while codes pass by in ascending order of position; ties to the lower one.

    Distances are those of `asymmetric_numpy`, to the bit. Memory: `state_bytes` a query.
    """

    def __init__(self, tables: NDArray[np.float32], *, k: int, below: int | None = None) -> None:
        """`tables` float32 `(num_queries, num_codebooks, 256)`, finite, as are their sums. Only distances whose
        `sortable_numbers` are less than `below` count, when it is given."""
        num_queries = len(tables)
        bounds = np.full(num_queries, _float_of(INFINITY if below is None else below), np.float32)
        self._kept = _Kept(
            k=k,
            bounds=bounds,
            bound_bits=bounds.view(np.uint32),
            keys=np.empty((num_queries, _capacity(k)), np.int64),
            num_keys=np.zeros(num_queries, np.int64),
            total=np.zeros(1, np.float32),
        )
        self._tables = _Tables(
            values=np.array(tables, order="C"),
            terms=np.zeros(tables.shape, np.uint8),
            scales=np.zeros(num_queries),
            floors=np.zeros(num_queries),
            most=np.full(num_queries, _ANY_SUM),
        )
        for query in range(num_queries if below is not None else 0):
            _round_down(query, bounds[query], self._tables)

    @staticmethod
    def state_bytes(k: int, num_codebooks: int) -> int:
        """Bytes that one query takes."""
        return 8 * _capacity(k) + 5 * 256 * num_codebooks

    def feed(
        self, codes: NDArray[np.unsignedinteger], first_position: int, allowed: NDArray[np.uint64] | None = None
    ) -> None:
        """Codes `(num_codes, num_words)` of `code_words`, contiguous, from `first_position` on. `allowed`: a bitmap of
        those that may answer, bit j % 64 of word j // 64 for code j of the block. Other threads run meanwhile."""
        if codes.dtype != np.uint64:
            codes = np.pad(codes, ((0, 0), (0, 8 // codes.itemsize - 1))).view(np.uint64)
        bitmap = 0 if allowed is None else allowed.ctypes.data
        block = _Block(codes.ctypes.data, len(codes), codes.shape[1], first_position, bitmap)
        if _HAS_BYTE_LOOKUP:
            _feed_lookups(block, self._tables, self._kept)
        else:
            _feed_sums(block, self._tables.values, self._kept)

    def sorted_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Composite keys int64 `(num_queries, at most k)` of distances' numbers and positions in order; counts int64
        `(num_queries,)`. Past a row's count, the largest int64."""
        kept = self._kept
        keys = np.where(np.arange(kept.keys.shape[1])[None, :] < kept.num_keys[:, None], kept.keys, _NO_KEY)
        keys.sort(axis=1)
        counts = np.minimum(kept.num_keys, kept.k)
        return keys[:, : int(counts.max(initial=0))], counts


def _capacity(k: int) -> int:
    return max(2 * k, _LEAST_CAPACITY)


def _float_of(number: int) -> np.float32:
    """The float of a number; infinities for what is beyond them."""
    limited = min(max(number, _ALL_ONES - INFINITY), INFINITY)
    return np.float32(sorted_floats(np.array([limited]))[0])


@compiled
def _feed_sums(block: Any, values: Any, kept: Any) -> None:
    """Adds floats for every pair: on any processor."""
    sums = np.empty(_CODES_PER_SUM * _SUMS_PER_TILE, np.float32)
    for start in range(0, block.num_codes, len(sums)):
        count = min(len(sums), block.num_codes - start)
        for query in range(len(values)):
            _add_terms(values[query], start, block, sums[: _CODES_PER_SUM * -(-count // _CODES_PER_SUM)])
            bound = kept.bounds[query]
            for place in range(count):
                if sums[place] < bound and _is_allowed(start + place, block):
                    kept.total[0] = sums[place]
                    bound = _keep(query, block.first_position + start + place, kept)


@compiled
def _add_terms(table: Any, start: Any, block: Any, sums: Any) -> None:
    """Of the codes from `start` on, from codebook 0 on as everywhere: the order of floats' additions shows. Four codes
    at once, so that none waits for another's sum; behind the last code, the last code again."""
    row_bytes, last = 8 * block.num_words, block.num_codes - 1
    for place in range(0, len(sums), _CODES_PER_SUM):
        code = start + place
        row0 = block.words + row_bytes * code
        row1 = block.words + row_bytes * min(code + 1, last)
        row2 = block.words + row_bytes * min(code + 2, last)
        row3 = block.words + row_bytes * min(code + 3, last)
        sum0, sum1 = table[0, byte_at(row0, 0)], table[0, byte_at(row1, 0)]
        sum2, sum3 = table[0, byte_at(row2, 0)], table[0, byte_at(row3, 0)]
        for codebook in range(1, len(table)):
            sum0 += table[codebook, byte_at(row0, codebook)]
            sum1 += table[codebook, byte_at(row1, codebook)]
            sum2 += table[codebook, byte_at(row2, codebook)]
            sum3 += table[codebook, byte_at(row3, codebook)]
        sums[place], sums[place + 1], sums[place + 2], sums[place + 3] = sum0, sum1, sum2, sum3


@compiled
def _feed_lookups(block: Any, tables: Any, kept: Any) -> None:
    """Adds floats for the pairs that `lookup_masks` leaves."""
    num_queries, num_codebooks, _ = tables.values.shape
    tile_bytes = _TILE_BYTES if num_queries >= _MANY_QUERIES else _SMALL_TILE_BYTES
    chunk_bytes = 8 * block.num_words * CODES_PER_LOOKUP
    num_chunks = max(1, tile_bytes // chunk_bytes)
    planes = np.empty((num_chunks, 8 * block.num_words, CODES_PER_LOOKUP), np.uint8)
    masks = np.empty(CODES_PER_LOOKUP // CODES_PER_MASK, np.uint64)
    # Unsigned, sums with other numbers would be floats.
    chunks, all_terms = np.intp(planes.ctypes.data), np.intp(tables.terms.ctypes.data)
    for start in range(0, block.num_codes, num_chunks * CODES_PER_LOOKUP):
        count = min(block.num_codes - start, num_chunks * CODES_PER_LOOKUP)
        for place in range(0, count, CODES_PER_LOOKUP):
            _load_chunk(start + place, block, planes[place // CODES_PER_LOOKUP])
        for query in range(num_queries):
            terms = all_terms + 256 * num_codebooks * query
            place, most = 0, tables.most[query]
            while most >= 0:
                place = _next_chunk(
                    (chunks, chunk_bytes, count), place, (terms, num_codebooks), most, masks.ctypes.data
                )
                if place >= count:
                    break
                _keep_masked(query, masks, start + place, block, tables, kept)
                place, most = place + CODES_PER_LOOKUP, tables.most[query]


@compiled
def _next_chunk(tile: Any, start: Any, looked_up: Any, most: Any, masks: Any) -> Any:
    """((address of the first chunk, bytes of a chunk, codes of the tile), place to start from, (address of the terms,
    number of codebooks), `most`, address of the masks): the first place whose chunk has codes with small sums, their
    masks set; beyond the codes when none has. Takes no array: numba would count its references at each call."""
    chunks, chunk_bytes, count = tile
    terms, num_codebooks = looked_up
    for place in range(start, count, CODES_PER_LOOKUP):
        if lookup_masks(chunks + chunk_bytes * (place // CODES_PER_LOOKUP), terms, num_codebooks, most, masks):
            return place
    return count


@compiled
def _load_chunk(first: Any, block: Any, planes: Any) -> None:
    """Bytes of the 256 codes from `first` on, or as many as there are, to their planes; behind the last, anything."""
    num_codes = min(CODES_PER_LOOKUP, block.num_codes - first)
    whole = num_codes // CODES_PER_MASK * CODES_PER_MASK
    row_bytes = 8 * block.num_words
    rows, targets = block.words + row_bytes * first, np.intp(planes.ctypes.data)
    for place in range(0, whole, CODES_PER_MASK):
        row, target = rows + row_bytes * place, targets + place
        if block.num_words == 1:
            byte_planes(row, target)
        elif block.num_words == 2:
            byte_planes_of_pairs(row, target)
        else:
            for word in range(block.num_words):
                byte_planes_apart(row + 8 * word, row_bytes, target + 8 * word * CODES_PER_LOOKUP)
    for place in range(whole, num_codes):
        for byte in range(row_bytes):
            planes[byte, place] = byte_at(rows, row_bytes * place + byte)


@compiled
def _keep_masked(query: Any, masks: Any, first: Any, block: Any, tables: Any, kept: Any) -> None:
    """Of the codes from `first` on that the masks name, those less than the bound enter."""
    values = tables.values[query]
    before = kept.bounds[query]
    bound = before
    for part in range(len(masks)):
        mask = masks[part]
        while mask != 0:
            code = first + CODES_PER_MASK * part + trailing_zeros(mask)
            mask &= mask - _ONE
            if code < block.num_codes and _is_allowed(code, block):
                row = 8 * block.num_words * code
                total = values[0, byte_at(block.words, row)]
                for codebook in range(1, len(values)):
                    total += values[codebook, byte_at(block.words, row + codebook)]
                if total < bound:
                    kept.total[0] = total
                    bound = _keep(query, block.first_position + code, kept)
    if bound < before:
        _lower_most(query, bound, tables)


@compiled
def _is_allowed(code: Any, block: Any) -> Any:
    if block.allowed == 0:
        return True
    return (word_at(block.allowed, code // CODES_PER_MASK) >> np.uint64(code % CODES_PER_MASK)) & _ONE != 0


@compiled
def _lower_most(query: Any, bound: Any, tables: Any) -> None:
    """Follow a bound that fell: with the terms as they are, while these are fine enough."""
    most = (np.float64(bound) - tables.floors[query]) * tables.scales[query]
    if 2 * most < _ANY_SUM:
        _round_down(query, bound, tables)
    else:
        tables.most[query] = np.int64(min(most, np.float64(_ANY_SUM)))


@compiled
def _round_down(query: Any, bound: Any, tables: Any) -> None:
    """Terms in steps of the way from the least sum to the bound.

    They are rounded down, and the bound is moved up by what float32's additions may lose: no code is missed.
    """
    values, terms = tables.values[query], tables.terms[query]
    least, largest = 0.0, 0.0
    for codebook in range(len(values)):
        least += np.float64(values[codebook].min())
        largest += np.float64(np.abs(values[codebook]).max())
    tables.floors[query] = least - len(values) * _ROUNDING * largest
    way = np.float64(bound) - tables.floors[query]
    tables.most[query] = _ANY_SUM - 1 if way > 0 else -1
    if way <= 0:
        return
    tables.scales[query] = (_ANY_SUM - 1) / way
    scale = tables.scales[query] * (1 - 1e-9)
    for codebook in range(len(values)):
        smallest = np.float64(values[codebook].min())
        for word in range(values.shape[1]):
            steps = (np.float64(values[codebook, word]) - smallest) * scale
            terms[codebook, word] = np.uint8(min(steps, np.float64(_ANY_SUM)))


@compiled
def _keep(query: Any, position: Any, kept: Any) -> Any:
    """The entry of `total`, which is less than the bound; the new bound."""
    bits = np.int64(kept.total.view(np.uint32)[0])
    number = bits + _SIGN if bits < _SIGN else _ALL_ONES - bits
    if bits == _SIGN:  # -0 is 0
        number = np.int64(_SIGN)
    kept.keys[query, kept.num_keys[query]] = (number << WIDE_POSITION_BITS) | position
    kept.num_keys[query] += 1
    if kept.num_keys[query] == kept.keys.shape[1]:
        # A later entry at the distance of the k-th loses to it.
        kept.keys[query] = np.partition(kept.keys[query], kept.k - 1)
        kept.num_keys[query] = kept.k
        last = kept.keys[query, kept.k - 1] >> WIDE_POSITION_BITS
        kept.bound_bits[query] = last - _SIGN if last >= _SIGN else _ALL_ONES - last
    return kept.bounds[query]
