"""`SearchQueries`: what a search takes, and the scan that answers it."""

from __future__ import annotations

from operators.binary_codes import BinaryCodes
from operators.quantization.lookup_tables import LookupTables
from operators.search.asymmetric_scan import AsymmetricScan
from operators.search.block_scan import PairScan
from operators.search.hamming_flat import HammingScan

SearchQueries = BinaryCodes | LookupTables
"""Codes are compared by Hamming distance; lookup tables give asymmetric distances to quantized codes."""


def scan_of(codes: BinaryCodes, queries: SearchQueries) -> PairScan:
    """The exact scan for queries of this kind. Raises `ShapeMismatch` for another width."""
    return AsymmetricScan(codes, queries) if isinstance(queries, LookupTables) else HammingScan(codes, queries)
