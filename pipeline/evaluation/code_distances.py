"""Distances between the codes of queries and database, a block of queries at a time, for each way of ranking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.kernels.hamming_numpy import hamming_distances, word_columns
from operators.search.table_collisions import TableCollisionScan
from pipeline.errors import UsageError

Ranking = Literal["hamming", "summed", "collisions"]


@dataclass(frozen=True, kw_only=True)
class CodeDistances:
    """`rows(block of queries)` gives uint8 or uint16 `(num_rows, num_database)`, all below `num_distances`.

    `nothing_shared` is the distance of items that the method would never look at (collisions only), else None.
    """

    rows: Callable[[slice], NDArray[np.unsignedinteger]]
    num_queries: int
    num_database: int
    num_distances: int
    nothing_shared: int | None = None


def code_distances(queries: BinaryCodes, database: BinaryCodes, ranking: Ranking, num_tables: int) -> CodeDistances:
    """`hamming`: bits that differ. `summed`: the same over the codes of all tables side by side. `collisions`: tables
    in which the buckets differ; what collides in no table keeps the last place, tied.

    Raises `UsageError` when ranking and number of tables do not go together, `ShapeMismatch` when widths differ.
    """
    if queries.num_bits != database.num_bits:
        raise ShapeMismatch("query codes", f"{queries.num_bits} bits", f"{database.num_bits} bits")
    if ranking == "collisions":
        return _collision_distances(queries, database, num_tables)
    if ranking == "hamming" and num_tables != 1:
        raise UsageError(f"ranking hamming with {num_tables} tables: use summed or collisions")
    if ranking not in get_args(Ranking):
        raise UsageError(f"ranking {ranking!r}: expected one of {', '.join(get_args(Ranking))}")
    query_columns, code_columns = word_columns(queries.packed), word_columns(database.packed)
    return CodeDistances(
        rows=lambda block: hamming_distances(query_columns[:, block], code_columns),
        num_queries=len(queries),
        num_database=len(database),
        num_distances=queries.num_bits + 1,
    )


def _collision_distances(queries: BinaryCodes, database: BinaryCodes, num_tables: int) -> CodeDistances:
    scan = TableCollisionScan(database, queries, num_tables=num_tables)
    buckets = scan.load_codes(slice(None))
    return CodeDistances(
        rows=lambda block: scan.distances(block, buckets),
        num_queries=len(queries),
        num_database=len(database),
        num_distances=num_tables + 1,
        nothing_shared=num_tables,
    )
