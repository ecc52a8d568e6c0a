"""Which rows of a code table were deleted: by their ids, and by what they are where they were encoded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.deletion_log import DeletedItem, DeletionLog
from pipeline.code_shards.log_state import CommittedShard, TableSnapshot
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.object_store.object_store import ObjectStore


def items_with_ids(
    store: ObjectStore, table: CodeTable, snapshot: TableSnapshot, ids: NDArray[np.int64]
) -> list[DeletedItem]:
    """What is at these ids (ascending), as far as they are in the snapshot. Reads the files that hold one of them.
    Raises `CorruptFile` and `StorageError`."""
    found: list[DeletedItem] = []
    for shard in snapshot.shards:
        wanted = _ids_in(shard, ids)
        if len(wanted):
            rows = _read(store, table, shard)
            found += _items(rows.filter(pc.is_in(rows.column("id"), value_set=pa.array(wanted))))
    return found


def deleted_by(store: ObjectStore, table: CodeTable, snapshot: TableSnapshot, log: DeletionLog) -> NDArray[np.int64]:
    """Ids of the rows of the snapshot that any deletion of the log is about, int64, ascending.

    Reads the files that were committed after the first deletion. Raises `CorruptFile` and `StorageError`.
    """
    deletions = log.read()
    if not deletions:
        return np.empty(0, np.int64)
    since = table.snapshot(min(min(deletion.table_version for deletion in deletions), table.snapshot().version))
    items = [item for deletion in deletions for item in deletion.items]
    return rows_of(store, table, snapshot, items, since)


def rows_of(
    store: ObjectStore,
    table: CodeTable,
    snapshot: TableSnapshot,
    items: Sequence[DeletedItem],
    since: TableSnapshot,
) -> NDArray[np.int64]:
    """Ids of the rows of the snapshot that are these items, int64, ascending: in files that `since` has, those with
    their ids; in others, those with the same bytes at the same URI (a file of the same task may number its rows
    differently)."""
    ids = np.unique(np.array([item.id for item in items], np.int64))
    known = {shard.name.file_name for shard in since.shards}
    parts = [np.empty(0, np.int64)]
    for shard in snapshot.shards:
        if shard.name.file_name in known:
            parts.append(_ids_in(shard, ids))
        elif items and shard.num_rows:
            parts.append(_same_items(_read(store, table, shard), items))
    return np.unique(np.concatenate(parts))


def _same_items(rows: pa.Table, items: Iterable[DeletedItem]) -> NDArray[np.int64]:
    wanted = {(item.uri, item.content_sha256) for item in items}
    near = rows.filter(pc.is_in(rows.column("uri"), value_set=pa.array([uri for uri, _ in wanted], pa.string())))
    return np.array([item.id for item in _items(near) if (item.uri, item.content_sha256) in wanted], np.int64)


def _ids_in(shard: CommittedShard, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of ascending `ids` that are rows of a shard."""
    return ids[np.searchsorted(ids, shard.ids.start) : np.searchsorted(ids, shard.ids.stop)]


def _read(store: ObjectStore, table: CodeTable, shard: CommittedShard) -> pa.Table:
    return read_code_shard(store, table.shard_uri(shard), table.identity, ["id", "key", "uri", "content_sha256"])


def _items(rows: pa.Table) -> list[DeletedItem]:
    return [
        DeletedItem(id=row["id"], key=row["key"], uri=row["uri"], content_sha256=row["content_sha256"].hex())
        for row in rows.to_pylist()
    ]
