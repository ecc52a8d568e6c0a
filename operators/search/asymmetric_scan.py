"""Exact search of quantized codes by lookup tables: asymmetric distance, every code looked at."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.kernels.smallest_k import WIDE_POSITION_BITS
from operators.kernels.sortable_floats import sortable_numbers, sorted_floats
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import Distances
from operators.search.block_scan import Columns, PairScan

_FEW_PAIRS = 2**15
# Up to here numpy is done before the compiled scan is imported.
_FEW_PAIRS_BEFORE_IMPORT = 2**21
_SCAN_MODULE = "operators.kernels.asymmetric_nearest"
_BLOCK_BYTES = 8 * 2**20

Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class AsymmetricScan(PairScan):
    """Pairs of codes and queries with as many lookup tables as a code has bytes; `allowed` bool `(num_codes,)`, when
    given, says which codes may answer `nearest`.

    Holds up to 2**31 codes. Many pairs go through the compiled `AsymmetricNearest`, few through numpy, with the same
    answer. Raises `ShapeMismatch` for another width, and for tables whose sums float32 cannot hold.
    """

    position_bits = WIDE_POSITION_BITS

    def __init__(self, codes: BinaryCodes, queries: LookupTables, allowed: NDArray[np.bool_] | None = None) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("lookup tables", f"for {queries.num_bits} bits", f"for {codes.num_bits} bits")
        if allowed is not None and (allowed.dtype != np.bool_ or allowed.shape != (len(codes),)):
            raise ShapeMismatch("allowed", f"{allowed.dtype} {allowed.shape}", f"bool ({len(codes)},)")
        _check_sums(queries)
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self._codes = codes
        self._queries = queries
        self._allowed = allowed

    def nearest(self, k: int, below: int | None) -> Entries:
        few_pairs = _FEW_PAIRS if _SCAN_MODULE in sys.modules else _FEW_PAIRS_BEFORE_IMPORT
        if self.num_queries * self.num_codes > few_pairs:
            return self._compiled_nearest(k, below)
        if self._allowed is None:
            return super().nearest(k, below)
        return self._nearest_of(np.flatnonzero(self._allowed), k, below)

    def _nearest_of(self, rows: NDArray[np.intp], k: int, below: int | None) -> Entries:
        if not len(rows):
            nothing = np.empty((self.num_queries, 0), np.int64)
            return nothing, nothing, np.zeros(self.num_queries, np.int64)
        scan = AsymmetricScan(self._codes[rows], self._queries)
        distances, places, counts = PairScan.nearest(scan, min(k, len(rows)), below)
        return distances, rows[places.clip(max=len(rows) - 1)], counts

    def _compiled_nearest(self, k: int, below: int | None) -> Entries:
        # Here, because the import takes half a second.
        from operators.kernels.asymmetric_nearest import AsymmetricNearest

        scan = AsymmetricNearest(self._queries.values, k=k, below=below)
        block_codes = max(1, _BLOCK_BYTES // self._queries.num_codebooks)
        for start in range(0, self.num_codes, block_codes):
            rows = slice(start, start + block_codes)
            allowed = None if self._allowed is None else np.ascontiguousarray(self._allowed[rows])
            scan.feed(np.ascontiguousarray(self._codes.packed[rows]), start, allowed)
        return scan.sorted_entries()

    def select(self, rows: NDArray[np.int64]) -> AsymmetricScan:
        return AsymmetricScan(self._codes[rows], self._queries)

    def load_codes(self, rows: slice) -> Columns:
        return np.ascontiguousarray(self._codes.packed[rows].T)

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        return sortable_numbers(asymmetric_distances(self._queries[queries], codes))

    def decode(self, distances: NDArray[np.int64]) -> Distances:
        return sorted_floats(distances)


def _check_sums(queries: LookupTables) -> None:
    largest = np.abs(queries.values).max(axis=2).astype(np.float64).sum(axis=1).max(initial=0)
    if largest > np.finfo(np.float32).max:
        raise ShapeMismatch("lookup tables", f"sums up to {largest:.3g}", "sums that float32 holds")
