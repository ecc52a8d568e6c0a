"""Exact search of quantized codes by lookup tables: asymmetric distance, every code looked at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.kernels.smallest_k import WIDE_POSITION_BITS
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import Distances
from operators.search.block_scan import Columns, PairScan

_SIGN = np.uint32(1 << 31)


class AsymmetricScan(PairScan):
    """Pairs of codes and queries with as many lookup tables as a code has bytes; raises `ShapeMismatch` otherwise.

    Holds up to 2**31 codes.
    """

    position_bits = WIDE_POSITION_BITS

    def __init__(self, codes: BinaryCodes, queries: LookupTables) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("lookup tables", f"for {queries.num_bits} bits", f"for {codes.num_bits} bits")
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self._packed = codes.packed
        self._queries = queries

    def load_codes(self, rows: slice) -> Columns:
        return np.ascontiguousarray(self._packed[rows].T)

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        return sortable_numbers(asymmetric_distances(self._queries[queries], codes))

    def decode(self, distances: NDArray[np.int64]) -> Distances:
        return sorted_floats(distances)


def sortable_numbers(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Whole numbers in the order of the (finite) floats; -0 and 0 become one number."""
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def sorted_floats(numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    """The inverse of `sortable_numbers`."""
    bits = numbers.astype(np.uint32)
    return np.where(bits & _SIGN, bits ^ _SIGN, ~bits).view(np.float32)
