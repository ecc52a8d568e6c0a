"""Exact Hamming search of one block of codes: every code is looked at."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.hamming_numpy import hamming_distances, word_columns
from operators.kernels.smallest_k import composite_keys, split_keys
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import (
    Columns,
    Nearest,
    PairScan,
    check_ids,
    rank_nearest,
    rank_positions,
    scan_blocks,
)
from operators.search.scan_options import ONE_THREAD, ScanOptions

_FEW_PAIRS = 2**16
# Up to here numpy is done before the compiled scan is imported.
_FEW_PAIRS_BEFORE_IMPORT = 2**22
_SCAN_MODULE = "operators.search.compiled_scan"


class HammingScan(PairScan):
    """Pairs of codes and queries of one width; raises `ShapeMismatch` for two.

    Many pairs go through the compiled scan, few through numpy, with the same answer.
    """

    def __init__(self, codes: BinaryCodes, queries: BinaryCodes, options: ScanOptions = ONE_THREAD) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("query codes", f"{queries.num_bits} bits", f"{codes.num_bits} bits")
        options.check_rows(len(codes))
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self._codes = codes
        self._queries = queries
        self.allowed = options.allowed
        self._options = options
        self._query_columns = word_columns(queries.packed)

    def nearest(self, k: int, below: int | None) -> Nearest:
        if _is_for_numpy(self.num_queries * self.num_codes):
            return super().nearest(k, below)
        # Here, because the import takes half a second.
        from operators.search.compiled_scan import nearest_entries

        return nearest_entries(self._codes, self._queries, k=k, below=below, options=self._options)

    def select(self, rows: NDArray[np.int64]) -> HammingScan:
        return HammingScan(self._codes[rows], self._queries)

    def within(self, radius: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Queries and composite keys int64 `(num_found,)` of every allowed code within `radius`, in no order."""
        if not _is_for_numpy(self.num_queries * self.num_codes):
            from operators.search.compiled_scan import entries_within

            return entries_within(self._codes, self._queries, radius=radius, options=self._options)
        mask = np.ones(self.num_codes, bool) if self.allowed is None else self.allowed.to_mask()
        found_rows, found_keys = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for block in scan_blocks(self):
            inside = mask[block.first_code : block.first_code + block.distances.shape[1]]
            rows, columns = np.nonzero((block.distances <= radius) & inside)
            found_rows.append(rows + block.first_query)
            found_keys.append(composite_keys(block.distances[rows, columns], columns + block.first_code))
        return np.concatenate(found_rows), np.concatenate(found_keys)

    def load_codes(self, rows: slice) -> Columns:
        return word_columns(self._codes.packed[rows])

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        return hamming_distances(self._query_columns[:, queries], codes)


def search_flat(
    codes: BinaryCodes,
    ids: NDArray[np.int64],
    queries: BinaryCodes,
    *,
    k: int,
    options: ScanOptions = ONE_THREAD,
) -> RankedNeighbors:
    """The `k` nearest codes of each query, exactly, by ascending distance then ascending id.

    `ids`: int64 `(len(codes),)`, strictly ascending. Fewer than `k` codes give short rows. Memory beside the answer:
    a few times `block_scan.BLOCK_BYTES`. Raises `ShapeMismatch`, `InvalidSetting` and `SearchCancelled`.
    """
    check_ids(ids, len(codes))
    return rank_nearest(HammingScan(codes, queries, options), ids, k=k)


def search_radius(
    codes: BinaryCodes,
    ids: NDArray[np.int64],
    queries: BinaryCodes,
    *,
    radius: int,
    options: ScanOptions = ONE_THREAD,
) -> RankedNeighbors:
    """Every code within `radius` bits (inclusive) of each query, in the order of `search_flat`.

    As many columns as the longest row has answers; memory grows with the number of answers. Raises `ShapeMismatch`,
    `InvalidSetting` and `SearchCancelled`.
    """
    check_ids(ids, len(codes))
    check_radius(radius)
    rows, keys = HammingScan(codes, queries, options).within(int(radius))
    return rank_within(rows, keys, ids, num_queries=len(queries))


def check_radius(radius: int) -> None:
    """Raises `InvalidSetting` unless `radius` is a whole number of at least 0 (a bool is none)."""
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer) or radius < 0:
        raise InvalidSetting("radius", repr(radius), "a whole number of at least 0")


def rank_within(
    rows: NDArray[np.int64], keys: NDArray[np.int64], ids: NDArray[np.int64], *, num_queries: int
) -> RankedNeighbors:
    """Queries and composite keys of what was found, in any order, as a ranking."""
    order = np.lexsort((keys, rows))
    counts = np.bincount(rows, minlength=num_queries).astype(np.int64)
    table = np.zeros((num_queries, int(counts.max(initial=0))), np.int64)
    table[np.arange(table.shape[1])[None, :] < counts[:, None]] = keys[order]
    distances, positions = split_keys(table)
    return rank_positions(distances.astype(np.int32), positions, counts, ids, k=table.shape[1])


def _is_for_numpy(num_pairs: int) -> bool:
    return num_pairs <= (_FEW_PAIRS if _SCAN_MODULE in sys.modules else _FEW_PAIRS_BEFORE_IMPORT)
