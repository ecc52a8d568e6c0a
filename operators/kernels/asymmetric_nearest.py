"""The k nearest of many quantized codes for many queries by lookup tables, in compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.hamming_numpy import long_words
from operators.kernels.lookup_masks import (
    CODES_PER_LOOKUP,
    byte_planes,
    byte_planes_apart,
    has_byte_lookup,
    lookup_masks,
)
from operators.kernels.near_masks import trailing_zeros
from operators.kernels.smallest_k import WIDE_POSITION_BITS, split_keys

_TILE_BYTES = 16 * 2**10
_LEAST_CAPACITY = 64
_NO_KEY = np.iinfo(np.int64).max
_ONE = np.uint64(1)
_ANY_SUM = 255
_ROUNDING = 2.0**-23  # twice what one addition may lose, of the largest sum
_HAS_BYTE_LOOKUP = has_byte_lookup()
_SIGN = 2**31
_ALL_ONES = 2**32 - 1
_INFINITY = 0xFF800000  # the number of infinity, and of minus infinity
_MINUS_INFINITY = 0x007FFFFF


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


class AsymmetricNearest:
    """Keeps the `k` nearest of each query while codes pass by in ascending order of position; ties to the lower one.

    Distances are those of `asymmetric_numpy`, to the bit. Memory: 16 bytes times `num_queries` times `k`.
    """

    def __init__(self, tables: NDArray[np.float32], *, k: int, below: int | None = None) -> None:
        """`tables` float32 `(num_queries, num_codebooks, 256)`, finite, as are their sums. Only distances whose
        `sortable_numbers` are less than `below` count, when it is given."""
        num_queries = len(tables)
        self._tables = np.ascontiguousarray(tables)
        bounds = np.full(num_queries, _float_at_most(_INFINITY if below is None else below), np.float32)
        self._kept = _Kept(
            k=k,
            bounds=bounds,
            bound_bits=bounds.view(np.uint32),
            keys=np.empty((num_queries, max(2 * k, _LEAST_CAPACITY)), np.int64),
            num_keys=np.zeros(num_queries, np.int64),
            total=np.zeros(1, np.float32),
        )

    def feed(self, codes: NDArray[np.uint8], first_position: int, allowed: NDArray[np.bool_] | None = None) -> None:
        """Codes uint8 `(num_codes, num_codebooks)`, contiguous, from `first_position` on; `allowed` `(num_codes,)`:
        which of them may answer. Other threads run meanwhile."""
        chosen = np.empty(0, np.bool_) if allowed is None else allowed
        if _HAS_BYTE_LOOKUP:
            _feed_lookups(codes, long_words(codes), self._tables, first_position, chosen, self._kept)
        else:
            _feed_sums(codes, self._tables, first_position, chosen, self._kept)

    def sorted_entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Numbers of distances and positions int64 `(num_queries, at most k)` in order, and counts int64
        `(num_queries,)`; entries past a row's count are meaningless."""
        kept = self._kept
        keys = np.where(np.arange(kept.keys.shape[1])[None, :] < kept.num_keys[:, None], kept.keys, _NO_KEY)
        keys.sort(axis=1)
        counts = np.minimum(kept.num_keys, kept.k)
        return *split_keys(keys[:, : int(counts.max(initial=0))], WIDE_POSITION_BITS), counts


def _float_at_most(number: int) -> float:
    """The float of a number; infinities for what is beyond them."""
    kept = np.uint32(min(max(number, _MINUS_INFINITY), _INFINITY))
    bits = kept ^ np.uint32(_SIGN) if kept & np.uint32(_SIGN) else ~kept
    return float(np.asarray(bits, np.uint32).view(np.float32))


@compiled
def _feed_sums(codes: Any, tables: Any, first_position: Any, allowed: Any, kept: Any) -> None:
    """Adds floats for every pair: on any processor."""
    num_codes, num_codebooks = codes.shape
    tile = max(CODES_PER_LOOKUP, _TILE_BYTES // num_codebooks)
    planes = np.empty((num_codebooks, tile), np.uint8)
    sums = np.empty(tile, np.float32)
    for start in range(0, num_codes, tile):
        count = min(tile, num_codes - start)
        for place in range(count):
            for codebook in range(num_codebooks):
                planes[codebook, place] = codes[start + place, codebook]
        for query in range(len(tables)):
            _add_terms(tables[query], planes, count, sums)
            bound = kept.bounds[query]
            for place in range(count):
                if sums[place] < bound and (len(allowed) == 0 or allowed[start + place]):
                    bound = _keep(query, sums[place : place + 1], first_position + start + place, kept)


@compiled
def _add_terms(table: Any, planes: Any, count: Any, sums: Any) -> None:
    """From codebook 0 on, as everywhere: the order of floats' additions shows."""
    for place in range(count):
        sums[place] = table[0, planes[0, place]]
    for codebook in range(1, len(planes)):
        for place in range(count):
            sums[place] += table[codebook, planes[codebook, place]]


@compiled
def _feed_lookups(codes: Any, words: Any, tables: Any, first_position: Any, allowed: Any, kept: Any) -> None:
    """Adds floats for the pairs that `lookup_masks` leaves. `words`: uint64 `(num_codes, words of a code)`, the codes
    with zeros behind them."""
    num_codes, num_codebooks = codes.shape
    tile = max(1, _TILE_BYTES // (8 * words.shape[1] * CODES_PER_LOOKUP)) * CODES_PER_LOOKUP
    planes = np.empty((8 * words.shape[1], tile), np.uint8)
    terms = np.zeros((len(tables), num_codebooks, 256), np.uint8)
    most = np.empty(len(tables), np.int64)
    for query in range(len(tables)):
        most[query] = _round_down(tables[query], kept.bounds[query], terms[query])
    masks = np.empty(CODES_PER_LOOKUP // 64, np.uint64)
    spare = np.zeros(64, np.uint64)
    for start in range(0, num_codes, tile):
        count = min(tile, num_codes - start)
        _load_planes(words[start : start + count], planes, spare)
        for query in range(len(tables)):
            for place in range(0, count, CODES_PER_LOOKUP):
                if most[query] < 0:
                    break
                lookup_masks(
                    planes.ctypes.data + place,
                    tile,
                    terms[query].ctypes.data,
                    num_codebooks,
                    most[query],
                    masks.ctypes.data,
                )
                if not (masks[0] | masks[1] | masks[2] | masks[3]):
                    continue
                bound = kept.bounds[query]
                _keep_masked(query, masks, (codes, start + place), (tables, first_position, allowed), kept)
                if kept.bounds[query] < bound:
                    most[query] = _round_down(tables[query], kept.bounds[query], terms[query])


@compiled
def _keep_masked(query: Any, masks: Any, block: Any, scan: Any, kept: Any) -> None:
    """Of the codes from `block`'s place on that the masks name, those less than the bound enter."""
    codes, first = block
    tables, first_position, allowed = scan
    bound, total = kept.bounds[query], kept.total
    for part in range(len(masks)):
        mask = masks[part]
        left = len(codes) - first - 64 * part
        if left < 64:
            mask &= (_ONE << np.uint64(max(0, left))) - _ONE
        while mask != 0:
            code = first + 64 * part + trailing_zeros(mask)
            mask &= mask - _ONE
            if len(allowed) == 0 or allowed[code]:
                total[0] = tables[query, 0, codes[code, 0]]
                for codebook in range(1, codes.shape[1]):
                    total[0] += tables[query, codebook, codes[code, codebook]]
                if total[0] < bound:
                    bound = _keep(query, total, first_position + code, kept)


@compiled
def _load_planes(words: Any, planes: Any, spare: Any) -> None:
    """Every byte of the codes to its plane, 64 codes at a time; behind the last, anything."""
    step, stride = 8 * words.shape[1], planes.shape[1]
    whole = len(words) // 64 * 64
    for word in range(words.shape[1]):
        target = planes.ctypes.data + 8 * word * stride
        for place in range(0, whole, 64):
            source = words.ctypes.data + step * place + 8 * word
            if step == 8:
                byte_planes(source, target + place, stride)
            else:
                byte_planes_apart(source, step, target + place, stride)
        if whole < len(words):
            for place in range(whole, len(words)):
                spare[place - whole] = words[place, word]
            byte_planes(spare.ctypes.data, target + whole, stride)


@compiled
def _round_down(table: Any, bound: Any, terms: Any) -> Any:
    """Terms of one byte for a float32 table `(num_codebooks, 256)`, in steps of the way from the least sum to the
    bound; the most that terms of a sum less than the bound add to, or -1 where no sum is less.

    A term is rounded down, and the bound is moved up by what float32's additions may lose: no code is missed.
    """
    if bound == np.inf:
        return _ANY_SUM
    least, largest = 0.0, 0.0
    for codebook in range(len(table)):
        least += np.float64(table[codebook].min())
        largest += np.float64(np.abs(table[codebook]).max())
    way = np.float64(bound) - least + len(table) * _ROUNDING * largest
    if way <= 0:
        return -1
    scale = (_ANY_SUM - 1) / way * (1 - 1e-9)
    for codebook in range(len(table)):
        smallest = np.float64(table[codebook].min())
        for word in range(table.shape[1]):
            steps = (np.float64(table[codebook, word]) - smallest) * scale
            terms[codebook, word] = np.uint8(min(steps, np.float64(_ANY_SUM)))
    return _ANY_SUM - 1


@compiled
def _keep(query: Any, total: Any, position: Any, kept: Any) -> Any:
    """An entry whose sum, float32 `(1,)`, is less than the bound; the new bound."""
    signed = np.int64(total.view(np.uint32)[0])
    number = signed + _SIGN if signed < _SIGN else _ALL_ONES - signed
    if signed == _SIGN:  # -0 is 0
        number = np.int64(_SIGN)
    kept.keys[query, kept.num_keys[query]] = (number << WIDE_POSITION_BITS) | position
    kept.num_keys[query] += 1
    if kept.num_keys[query] == kept.keys.shape[1]:
        # A later entry at the distance of the k-th loses to it.
        kept.keys[query].sort()
        kept.num_keys[query] = kept.k
        last = kept.keys[query, kept.k - 1] >> WIDE_POSITION_BITS
        kept.bound_bits[query] = last - _SIGN if last >= _SIGN else _ALL_ONES - last
    return kept.bounds[query]
