"""Multi-table LSH search: rank items by the number of hash tables in which they share the query's bucket.

A code of `num_tables * b` bits holds one bucket of b bits per table, table 0 first. As in the seeds' slides (LSH,
Table 1): probe the query's bucket in every table, join the candidates, rank them by the number of collisions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import Columns, PairScan, check_ids, rank_nearest

_MAX_TABLE_BITS = 64


class TableCollisionScan(PairScan):
    """Distance = number of tables that do NOT collide, 0 to `num_tables`."""

    def __init__(self, codes: BinaryCodes, queries: BinaryCodes, *, num_tables: int) -> None:
        if codes.num_bits != queries.num_bits:
            raise ShapeMismatch("query codes", f"{queries.num_bits} bits", f"{codes.num_bits} bits")
        _check_num_tables(num_tables, codes.num_bits)
        self.num_codes = len(codes)
        self.num_queries = len(queries)
        self._num_tables = num_tables
        self._codes = codes
        self._queries = queries
        self._query_buckets = bucket_columns(queries, num_tables)

    def select(self, rows: NDArray[np.int64]) -> TableCollisionScan:
        return TableCollisionScan(self._codes[rows], self._queries, num_tables=self._num_tables)

    def load_codes(self, rows: slice) -> Columns:
        return bucket_columns(self._codes[rows], self._num_tables)

    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        wanted = self._query_buckets[:, queries]
        missed = np.zeros((wanted.shape[1], codes.shape[1]), np.min_scalar_type(self._num_tables))
        for query_buckets, code_buckets in zip(wanted, codes, strict=True):
            missed += query_buckets[:, None] != code_buckets[None, :]
        return missed


def search_table_collisions(
    codes: BinaryCodes, ids: NDArray[np.int64], queries: BinaryCodes, *, num_tables: int, k: int
) -> RankedNeighbors:
    """The `k` items that share most tables with each query: distance = tables that do not collide, ties to lower ids.

    An item that collides in no table is no candidate and never an answer, so rows may be short. Raises `ShapeMismatch`;
    `InvalidSetting` unless the bits divide into `num_tables` tables of 1 to 64 bits.
    """
    check_ids(ids, len(codes))
    return rank_nearest(TableCollisionScan(codes, queries, num_tables=num_tables), ids, k=k, below=num_tables)


def bucket_columns(codes: BinaryCodes, num_tables: int) -> Columns:
    """The bucket of every code in every table, unsigned `(num_tables, num_items)`."""
    table_bits = codes.num_bits // num_tables
    bucket_bytes = next(size for size in (1, 2, 4, 8) if table_bits <= 8 * size)
    bits = codes.to_bits().reshape(len(codes), num_tables, table_bits)
    padded = np.zeros((len(codes), num_tables, 8 * bucket_bytes), bool)
    padded[:, :, :table_bits] = bits
    packed = np.packbits(padded.reshape(len(codes), -1), axis=1)
    return np.ascontiguousarray(packed.view(np.dtype(f"u{bucket_bytes}")).T)


def _check_num_tables(num_tables: int, num_bits: int) -> None:
    if isinstance(num_tables, bool) or not isinstance(num_tables, int | np.integer) or num_tables < 1:
        raise InvalidSetting("num_tables", repr(num_tables), "a whole number of at least 1")
    if num_bits % num_tables or num_bits // num_tables > _MAX_TABLE_BITS:
        expected = f"a divisor of {num_bits} that leaves at most {_MAX_TABLE_BITS} bits per table"
        raise InvalidSetting("num_tables", str(num_tables), expected)
