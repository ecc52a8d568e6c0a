"""The k nearest of many quantized codes for many queries by lookup tables, in compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.smallest_k import WIDE_POSITION_BITS, split_keys

_TILE_BYTES = 16 * 2**10
_LEAST_CAPACITY = 64
_NO_KEY = np.iinfo(np.int64).max
_SIGN = 2**31
_ALL_ONES = 2**32 - 1
_INFINITY = 0xFF800000  # the number of infinity, and of minus infinity
_MINUS_INFINITY = 0x007FFFFF


class _Kept(NamedTuple):
    """What is kept of each query: entries as (distance's number, position) in one number, in any order.

    `bounds`: only a sum less than this may enter; `bound_bits` is the same memory.
    """

    k: int
    bounds: NDArray[np.float32]
    bound_bits: NDArray[np.uint32]
    keys: NDArray[np.int64]
    num_keys: NDArray[np.int64]


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
        )

    def feed(self, codes: NDArray[np.uint8], first_position: int, allowed: NDArray[np.bool_] | None = None) -> None:
        """Codes uint8 `(num_codes, num_codebooks)`, contiguous, from `first_position` on; `allowed` `(num_codes,)`:
        which of them may answer. Other threads run meanwhile."""
        _feed(codes, self._tables, first_position, np.empty(0, np.bool_) if allowed is None else allowed, self._kept)

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
def _feed(codes: Any, tables: Any, first_position: Any, allowed: Any, kept: Any) -> None:
    num_codes, num_codebooks = codes.shape
    tile = max(64, _TILE_BYTES // num_codebooks)
    planes = np.empty((num_codebooks, tile), np.uint8)
    sums = np.empty(tile, np.float32)
    bits = sums.view(np.uint32)
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
                    bound = _keep(query, bits[place], first_position + start + place, kept)


@compiled
def _add_terms(table: Any, planes: Any, count: Any, sums: Any) -> None:
    """From codebook 0 on, as everywhere: the order of floats' additions shows."""
    for place in range(count):
        sums[place] = table[0, planes[0, place]]
    for codebook in range(1, len(planes)):
        for place in range(count):
            sums[place] += table[codebook, planes[codebook, place]]


@compiled
def _keep(query: Any, bits: Any, position: Any, kept: Any) -> Any:
    """An entry whose sum, of these bits, is less than the bound; the new bound."""
    signed = np.int64(bits)
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
