"""Exact Hamming search of one block of codes: every code is looked at."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.hamming_numpy import hamming_distances, long_words, word_columns
from operators.kernels.smallest_k import composite_keys, split_keys
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import Columns, PairScan, check_ids, rank_nearest, rank_positions, scan_blocks

_FEW_PAIRS = 2**16
# Up to here numpy is done before the compiled scan is imported.
_FEW_PAIRS_BEFORE_IMPORT = 2**22
_SCAN_MODULE = "operators.kernels.nearest_scan"
_BLOCK_WORDS = 2**20


class HammingScan(PairScan):
    """Pairs of codes and queries of one width; raises `ShapeMismatch` for two.

    Many pairs go through the compiled `NearestScan`, few through numpy, with the same answer.
    """

    def __init__(self, codes: BinaryCodes, queries: BinaryCodes) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("query codes", f"{queries.num_bits} bits", f"{codes.num_bits} bits")
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self._num_bits = codes.num_bits
        self._packed = codes.packed
        self._query_packed = queries.packed
        self._query_columns = word_columns(queries.packed)

    def nearest(self, k: int, below: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        few_pairs = _FEW_PAIRS if _SCAN_MODULE in sys.modules else _FEW_PAIRS_BEFORE_IMPORT
        if self.num_queries * self.num_codes <= few_pairs:
            return super().nearest(k, below)
        # Here, because the import takes half a second.
        from operators.kernels.nearest_scan import NearestScan

        queries = long_words(self._query_packed)
        scan = NearestScan(queries, k=k, num_bits=self._num_bits, below=below)
        block_codes = max(1, _BLOCK_WORDS // queries.shape[1])
        for start in range(0, self.num_codes, block_codes):
            scan.feed(long_words(self._packed[start : start + block_codes]), start)
        return scan.sorted_entries()

    def load_codes(self, rows: slice) -> Columns:
        return word_columns(self._packed[rows])

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        return hamming_distances(self._query_columns[:, queries], codes)


def search_flat(codes: BinaryCodes, ids: NDArray[np.int64], queries: BinaryCodes, *, k: int) -> RankedNeighbors:
    """The `k` nearest codes of each query, exactly, by ascending distance then ascending id.

    `ids`: int64 `(len(codes),)`, strictly ascending. Fewer than `k` codes give short rows. Memory beside the answer:
    a few times `block_scan.BLOCK_BYTES`. Raises `ShapeMismatch` and `InvalidSetting`.
    """
    check_ids(ids, len(codes))
    return rank_nearest(HammingScan(codes, queries), ids, k=k)


def search_radius(codes: BinaryCodes, ids: NDArray[np.int64], queries: BinaryCodes, *, radius: int) -> RankedNeighbors:
    """Every code within `radius` bits (inclusive) of each query, in the order of `search_flat`.

    As many columns as the longest row has answers; memory grows with the number of answers. Raises `ShapeMismatch`
    and `InvalidSetting`.
    """
    check_ids(ids, len(codes))
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer) or radius < 0:
        raise InvalidSetting("radius", repr(radius), "a whole number of at least 0")
    found_rows, found_keys = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for block in scan_blocks(HammingScan(codes, queries)):
        rows, columns = np.nonzero(block.distances <= radius)
        found_rows.append(rows + block.first_query)
        found_keys.append(composite_keys(block.distances[rows, columns], columns + block.first_code))
    rows, keys = np.concatenate(found_rows), np.concatenate(found_keys)
    order = np.lexsort((keys, rows))
    counts = np.bincount(rows, minlength=len(queries)).astype(np.int64)
    table = np.zeros((len(queries), int(counts.max(initial=0))), np.int64)
    table[np.arange(table.shape[1])[None, :] < counts[:, None]] = keys[order]
    distances, positions = split_keys(table)
    return rank_positions(distances.astype(np.int32), positions, counts, ids, k=table.shape[1])
