"""The Parquet files of near duplicates: `pairs.parquet` and `clusters.parquet`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from operators.search.pair_order import PairArrays
from pipeline.shard_index.index_rows import IndexRows

PAIRS_NAME, CLUSTERS_NAME = "pairs.parquet", "clusters.parquet"
_BATCH_ROWS = 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class DuplicateClusters:
    """For every row of an index: `centres` int64, the row of its cluster's centre (of the same index, or of the one it
    was compared with), -1 for a row in no cluster; `distances` int32, the bits in which it differs from it; `kept`."""

    centres: NDArray[np.int64]
    distances: NDArray[np.int32]
    kept: NDArray[np.bool_]

    @property
    def is_member(self) -> NDArray[np.bool_]:
        return self.centres >= 0

    def by_size(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The centres of all clusters, the largest cluster first (ties: the lower centre), and their numbers of
        rows."""
        centres, sizes = np.unique(self.centres[self.is_member], return_counts=True)
        order = np.lexsort((centres, -sizes))
        return centres[order], sizes[order]


def write_pairs(path: Path, pairs: PairArrays, left_rows: IndexRows, right_rows: IndexRows) -> None:
    """`left_id, right_id, distance`, in the order given. Memory: a batch."""
    schema = _schema(
        left_rows, right_rows, [("left_id", pa.int64()), ("right_id", pa.int64()), ("distance", pa.int32())]
    )
    left, right, distances = pairs
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for rows in _batches(len(left)):
            columns = [left_rows.ids[left[rows]], right_rows.ids[right[rows]], distances[rows].astype(np.int32)]
            writer.write_table(pa.Table.from_arrays([pa.array(column) for column in columns], schema=schema))


def write_clusters(path: Path, clusters: DuplicateClusters, rows: IndexRows, centre_rows: IndexRows) -> None:
    """`id, key, cluster_id, centre_id, distance_to_centre, kept`, one row per item by ascending id.

    Clusters are numbered from 0, the largest first; the three columns before `kept` are null for an item in none.
    """
    columns = [("id", pa.int64()), ("key", pa.string()), ("cluster_id", pa.int64()), ("centre_id", pa.int64())]
    schema = _schema(rows, centre_rows, [*columns, ("distance_to_centre", pa.int32()), ("kept", pa.bool_())])
    by_size, _ = clusters.by_size()
    ascending = np.argsort(by_size)
    keys = rows.column("key")
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        for batch in _batches(len(rows.ids)):
            centres, alone = clusters.centres[batch], ~clusters.is_member[batch]
            numbers = np.full(len(centres), -1)
            numbers[~alone] = ascending[np.searchsorted(by_size, centres[~alone], sorter=ascending)]
            arrays = [
                pa.array(rows.ids[batch]),
                keys.slice(batch.start, batch.stop - batch.start).combine_chunks().cast(pa.string()),
                pa.array(numbers, mask=alone),
                pa.array(centre_rows.ids[np.maximum(centres, 0)], mask=alone),
                pa.array(clusters.distances[batch], pa.int32(), mask=alone),
                pa.array(clusters.kept[batch]),
            ]
            writer.write_table(pa.table(arrays, schema=schema))


def _schema(left: IndexRows, right: IndexRows, columns: list[tuple[str, pa.DataType]]) -> pa.Schema:
    compared = {} if right is left else {"against": f"{right.manifest.index}/{right.manifest.generation}"}
    metadata = {"index": left.manifest.index, "generation": left.manifest.generation, **compared}
    return pa.schema(columns, metadata=metadata)


def _batches(num_rows: int) -> Iterator[slice]:
    """At least one, so that a file without rows has its columns."""
    for start in range(0, max(num_rows, 1), _BATCH_ROWS):
        yield slice(start, min(start + _BATCH_ROWS, num_rows))
