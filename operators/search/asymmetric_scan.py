"""Exact search of quantized codes by lookup tables: asymmetric distance, every code looked at."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, num_code_bytes
from operators.errors import ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.kernels.smallest_k import WIDE_POSITION_BITS, split_keys
from operators.kernels.sortable_floats import sortable_numbers, sorted_floats
from operators.quantization.lookup_tables import NUM_CODEWORDS, LookupTables
from operators.ranked_neighbors import Distances
from operators.search.block_scan import Columns, Nearest, PairScan
from operators.search.scan_options import ONE_THREAD, ScanOptions

_FEW_LOOKUPS = 2**15
# Up to here numpy takes less than a tenth of what the import of the compiled scan takes.
_FEW_LOOKUPS_BEFORE_IMPORT = 2**22
_SCAN_MODULE = "operators.kernels.asymmetric_nearest"


class AsymmetricScan(PairScan):
    """Pairs of codes and queries with as many lookup tables as a code has bytes.

    Holds up to 2**31 codes. Many pairs go through the compiled scan, few through numpy, with the same answer. Raises
    `ShapeMismatch` for another width, and for tables whose sums float32 cannot hold.
    """

    position_bits = WIDE_POSITION_BITS

    def __init__(self, codes: BinaryCodes, queries: LookupTables, options: ScanOptions = ONE_THREAD) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("lookup tables", f"for {queries.num_bits} bits", f"for {codes.num_bits} bits")
        options.check_rows(len(codes))
        check_sums(queries)
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self._codes = codes
        self._queries = queries
        self.allowed = options.allowed
        self._options = options

    def nearest(self, k: int, below: int | None) -> Nearest:
        few_lookups = _FEW_LOOKUPS if _SCAN_MODULE in sys.modules else _FEW_LOOKUPS_BEFORE_IMPORT
        if self.num_queries * self.num_codes * self._queries.num_codebooks <= few_lookups:
            return super().nearest(k, below)
        # Here, because the imports take half a second.
        from operators.kernels.asymmetric_nearest import AsymmetricNearest
        from operators.search.compiled_scan import nearest_keys, query_groups

        def new_keeper(rows: slice) -> AsymmetricNearest:
            return AsymmetricNearest(self._queries.values[rows], k=k, below=below)

        groups = query_groups(self.num_queries, AsymmetricNearest.state_bytes(k, self._queries.num_codebooks))
        keys, counts = nearest_keys(self._codes, new_keeper, groups, k=k, options=self._options)
        return *split_keys(keys, WIDE_POSITION_BITS), counts

    def select(self, rows: NDArray[np.int64]) -> AsymmetricScan:
        return AsymmetricScan(self._codes[rows], self._queries)

    def load_codes(self, rows: slice) -> Columns:
        return np.ascontiguousarray(self._codes.packed[rows].T)

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        return sortable_numbers(asymmetric_distances(self._queries[queries], codes))

    def decode(self, distances: NDArray[np.int64]) -> Distances:
        return sorted_floats(distances)


def warm_up_tables(num_bits: int) -> None:
    """Compile the scan by lookup tables, or load what an earlier process kept, before a query has to wait."""
    from operators.kernels.asymmetric_nearest import AsymmetricNearest
    from operators.kernels.hamming_numpy import code_words

    num_codebooks = num_code_bytes(num_bits)
    scan = AsymmetricNearest(np.zeros((1, num_codebooks, NUM_CODEWORDS), np.float32), k=1)
    scan.feed(code_words(np.zeros((1, num_codebooks), np.uint8)), 0)


def check_sums(queries: LookupTables) -> None:
    """Raises `ShapeMismatch` for tables whose sums float32 cannot hold: infinities would not sort."""
    largest = np.abs(queries.values).max(axis=2).astype(np.float64).sum(axis=1).max(initial=0)
    if largest > np.finfo(np.float32).max:
        raise ShapeMismatch("lookup tables", f"sums up to {largest:.3g}", "sums that float32 holds")
