"""`DeltaLog`: the few things we ask of one Delta table's log. It reads and writes the log, never a Parquet file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, Transaction

from pipeline.code_shards.log_state import CommittedShard, LogState
from pipeline.code_shards.shard_name import ShardName
from pipeline.errors import StorageError
from pipeline.object_store.delta_options import delta_storage_options

APP_ID = "bitquarry"
# What delta-rs raises for anything that its store or another writer did; the text is all it tells.
DELTA_FAILURES = (DeltaError, OSError)


def one_line(failure: Exception) -> str:
    """The text of a failure without delta-rs's line breaks."""
    return " ".join(str(failure).split())


@dataclass(frozen=True, kw_only=True)
class LogChange:
    """One commit: files to add, names of files to remove, a commit id for people who read the log. May be empty."""

    commit_id: str
    adds: tuple[CommittedShard, ...] = ()
    removes: tuple[str, ...] = ()
    purpose: str = "encode"


class DeltaLog:
    """The log of the table at `uri`. Not safe to share between threads."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._table: DeltaTable | None = None

    @staticmethod
    def create(uri: str, schema: pa.Schema, configuration: Mapping[str, str]) -> None:
        """Create an empty table unless one is there; of two that create at once one wins, without error."""
        try:
            DeltaTable.create(
                uri,
                schema=Schema.from_arrow(schema),
                mode="ignore",
                configuration=dict(configuration),
                storage_options=delta_storage_options(uri),
                raise_if_key_not_exists=False,
                # A retry would put the loser's settings over the winner's, as version 1.
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except DELTA_FAILURES as error:
            # The loser of a race, or of a lost reply: only what is there now counts.
            if DeltaLog(uri).configuration() is None:
                raise StorageError(f"{uri}: cannot create the table: {one_line(error)}") from error

    def configuration(self) -> dict[str, str] | None:
        """The table's own settings; None when there is no table."""
        try:
            return dict(self._open(None).metadata().configuration)
        except TableNotFoundError:
            return None
        except DELTA_FAILURES as error:
            raise StorageError(f"{self.uri}: cannot read the table: {one_line(error)}") from error

    def read(self, version: int | None = None) -> LogState:
        """The newest (or the given) version, from log and checkpoints: O(files). Raises `StorageError`."""
        try:
            table = self._open(version)
            state = LogState(version=table.version(), transaction=table.transaction_version(APP_ID) or 0)
            actions = pa.table(table.get_add_actions(flatten=True))
        except DELTA_FAILURES as error:
            at = "" if version is None else f" at version {version}"
            raise StorageError(f"{self.uri}: cannot read the table{at}: {one_line(error)}") from error
        for shard in _committed_shards(actions):
            state.add(shard)
        self._table = table if version is None else None
        return state

    def commit(self, state: LogState, change: LogChange) -> None:
        """Write the change as version `state.version + 1`, or raise one of `DELTA_FAILURES`, when the change may
        nevertheless have been written. `state` is brought up to date only on success."""
        if self._table is None or self._table.version() != state.version:
            self._table = self._open(state.version)
        now_ms = int(time.time() * 1000)
        actions: list[AddAction | RemoveAction] = [_add_action(shard, now_ms) for shard in change.adds]
        actions += [RemoveAction(name, True, now_ms, state.shards[name].size_bytes, {}) for name in change.removes]
        self._table.create_write_transaction(
            actions,
            mode="append",
            schema=self._table.schema(),
            commit_properties=self._commit_properties(state, change),
        )
        self._table.update_incremental()
        for shard in change.adds:
            state.add(shard)
        for name in change.removes:
            state.remove(name)
        state.version += 1
        state.transaction += 1

    def _commit_properties(self, state: LogState, change: LogChange) -> CommitProperties:
        """The fence: no rebase by delta-rs, and the next number of one application transaction, so that only a commit
        planned on the newest version is accepted."""
        return CommitProperties(
            custom_metadata={"commit_id": change.commit_id, "purpose": change.purpose},
            max_commit_retries=0,
            app_transactions=[Transaction(APP_ID, state.transaction + 1)],
        )

    def _open(self, version: int | None) -> DeltaTable:
        return DeltaTable(self.uri, version=version, storage_options=delta_storage_options(self.uri))


def _add_action(shard: CommittedShard, now_ms: int) -> AddAction:
    stats: dict[str, object] = {"numRecords": shard.num_rows}
    if shard.min_id is not None and shard.max_id is not None:
        stats |= {"minValues": {"id": shard.min_id}, "maxValues": {"id": shard.max_id}, "nullCount": {"id": 0}}
    return AddAction(
        path=shard.name.file_name,
        size=shard.size_bytes,
        partition_values={},
        modification_time=now_ms,
        data_change=True,
        stats=json.dumps(stats),
    )


def _committed_shards(actions: pa.Table) -> Iterator[CommittedShard]:
    nothing = [None] * actions.num_rows
    columns = [
        actions.column(name).to_pylist() if name in actions.column_names else nothing
        for name in ("path", "size_bytes", "num_records", "min.id", "max.id")
    ]
    for path, size_bytes, num_rows, min_id, max_id in zip(*columns, strict=True):
        yield CommittedShard(
            name=ShardName.parse(path), size_bytes=size_bytes, num_rows=num_rows, min_id=min_id, max_id=max_id
        )
