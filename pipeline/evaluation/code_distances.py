"""Distances between queries and the codes of a database, a block of queries at a time, for each way of ranking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.kernels.hamming_numpy import hamming_distances, word_columns
from operators.quantization.lookup_tables import LookupTables
from operators.search.table_collisions import TableCollisionScan
from pipeline.errors import UsageError

Ranking = Literal["hamming", "summed", "collisions", "rerank", "asymmetric", "symmetric", "unquantized"]
RowDistances = NDArray[np.unsignedinteger] | NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class CodeDistances:
    """`rows(block of queries)` gives `(num_rows, num_database)`: uint8 or uint16, all below `num_distances`, or
    float32, where `num_distances` is None: such distances do not count, and hardly ever tie.

    `nothing_shared` is the distance of items that the method would never look at (collisions only), else None.
    """

    rows: Callable[[slice], RowDistances]
    num_queries: int
    num_database: int
    num_distances: int | None
    nothing_shared: float | None = None


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
    if ranking not in ("hamming", "summed"):
        raise UsageError(f"ranking {ranking!r} of binary codes: expected one of {', '.join(get_args(Ranking)[:3])}")
    query_columns, code_columns = word_columns(queries.packed), word_columns(database.packed)
    return CodeDistances(
        rows=lambda block: hamming_distances(query_columns[:, block], code_columns),
        num_queries=len(queries),
        num_database=len(database),
        num_distances=queries.num_bits + 1,
    )


def table_distances(tables: LookupTables, database: BinaryCodes) -> CodeDistances:
    """`asymmetric` or `symmetric`: sums of lookup tables, of queries' real vectors or of what their codes stand for.

    Raises `ShapeMismatch` when widths differ."""
    if tables.num_bits != database.num_bits:
        raise ShapeMismatch("lookup tables", f"for {tables.num_bits} bits", f"for {database.num_bits} bits")
    columns = np.ascontiguousarray(database.packed.T)
    return CodeDistances(
        rows=lambda block: asymmetric_distances(tables[block], columns),
        num_queries=len(tables),
        num_database=len(database),
        num_distances=None,
    )


def vector_distances(queries: NDArray[np.float32], database: NDArray[np.float32]) -> CodeDistances:
    """`unquantized`: negative inner products of real vectors, `(num_queries, width)` and `(num_database, width)`."""
    return CodeDistances(
        rows=lambda block: -(queries[block] @ database.T),
        num_queries=len(queries),
        num_database=len(database),
        num_distances=None,
    )


@dataclass(frozen=True, kw_only=True)
class RerankedSide:
    """Codes of several tables, and the features that candidates are compared by."""

    codes: BinaryCodes
    features: NDArray[np.float32]


def reranked_distances(queries: RerankedSide, database: RerankedSide, num_tables: int) -> CodeDistances:
    """`rerank`: what shares a bucket with the query in any table, by Euclidean distance of the features; everything
    else keeps the last place, tied."""
    candidates = _collision_distances(queries.codes, database.codes, num_tables)
    lengths = np.square(database.features).sum(axis=1)

    def rows(block: slice) -> NDArray[np.float32]:
        asked = queries.features[block]
        squared = np.square(asked).sum(axis=1)[:, None] - 2 * (asked @ database.features.T) + lengths
        shared: NDArray[np.bool_] = candidates.rows(block) < num_tables
        return np.where(shared, squared, np.float32(np.inf)).astype(np.float32)

    return CodeDistances(
        rows=rows,
        num_queries=len(queries.codes),
        num_database=len(database.codes),
        num_distances=None,
        nothing_shared=float("inf"),
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
