"""`SearchQueries`: what a search takes, and the scan that answers it."""

from __future__ import annotations

from operators.binary_codes import BinaryCodes
from operators.quantization.lookup_tables import LookupTables
from operators.search.asymmetric_scan import AsymmetricScan
from operators.search.block_scan import PairScan
from operators.search.hamming_flat import HammingScan
from operators.search.scan_options import ONE_THREAD, ScanOptions

SearchQueries = BinaryCodes | LookupTables
"""Codes are compared by Hamming distance; lookup tables give asymmetric distances to quantized codes."""


def scan_of(codes: BinaryCodes, queries: SearchQueries, options: ScanOptions = ONE_THREAD) -> PairScan:
    """The exact scan for queries of this kind. Raises `ShapeMismatch` for another width."""
    if isinstance(queries, LookupTables):
        return AsymmetricScan(codes, queries, options)
    return HammingScan(codes, queries, options)
