"""Rows of a collection at one table version that were not deleted, file by file, in id order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.log_state import TableSnapshot
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.code_shards.shard_schema import code_schema
from pipeline.object_store.object_store import ObjectStore
from pipeline.shard_index.deleted_ids import NO_IDS, is_among

# A search answer has no use for these; everything else goes into the index as payload.
_LEFT_OUT = {"pq_code", "content_sha256", "source_etag", "task_id", "model_id", "encoded_at"}


def read_rows(
    store: ObjectStore, table: CodeTable, snapshot: TableSnapshot, deleted: NDArray[np.int64] = NO_IDS
) -> Iterator[pa.Table]:
    """`id`, `code` and payload columns, one table per code file, without rows whose id is in `deleted` (ascending); ids
    ascend from the first row to the last.

    Memory: one file. Raises `CorruptFile`, `ModelMismatch` and `StorageError`.
    """
    columns = [name for name in code_schema(table.identity).names if name not in _LEFT_OUT]
    for shard in snapshot.shards:
        if shard.num_rows:
            rows = read_code_shard(store, table.shard_uri(shard), table.identity, columns)
            gone = is_among(rows.column("id").to_numpy(), deleted)
            yield rows.filter(pa.array(~gone)) if gone.any() else rows
