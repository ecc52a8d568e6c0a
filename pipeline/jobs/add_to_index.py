"""The job behind `bitquarry index add`: an index follows its collection, at the cost of what changed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.deleted_rows import deleted_by
from pipeline.code_shards.deletion_log import DeletionLog
from pipeline.code_shards.log_state import TableSnapshot
from pipeline.errors import UsageError
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.changed_alias import move_alias
from pipeline.shard_index.collection_rows import read_rows
from pipeline.shard_index.deleted_ids import within
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_fetch import ShardFetcher

_log = logging.getLogger(__name__)
_MANY_DELTAS = 16
_MUCH_DELETED = 0.2


@dataclass(frozen=True, kw_only=True)
class AddResult:
    """`generation` is what the alias points at now: the one of before, unless `changed`. `num_added` and `num_removed`:
    rows that answer now and did not, or the other way round. `advice`: "" or why to compact the index."""

    index: str
    alias: str
    generation: str
    changed: bool
    table_version: int
    num_added: int
    num_removed: int
    num_rows: int
    num_delta_shards: int
    advice: str


def add_to_index(catalog: str, index: str, *, alias: str = "live", cache_dir: Path | None = None) -> AddResult:
    """Bring the generation that `alias` points at up to the newest version of its collection, deletions included.

    Raises `UnknownName`, `UsageError` for a collection that was made anew, `ModelMismatch`, `ConflictError` when others
    keep changing the alias or an id is there already, `CorruptFile`, `StorageError`.
    """
    store = open_store(catalog)
    fetcher = ShardFetcher(catalog, store, cache_dir)
    before = IndexCatalog(catalog, store).resolve(index, alias)
    collection_uri = join_uri(catalog, "collections", before.collection)
    table = CodeTable.open(collection_uri, model_fingerprint=before.model_fingerprint)
    log = DeletionLog(table.uri, store)
    counted: list[tuple[IndexManifest, int]] = []

    def follow(current: IndexManifest) -> IndexManifest:
        change = _change_since(table, current, log, fetcher)
        counted.append((current, change.num_added))
        return change_generation(fetcher, current, change)

    manifest = move_alias(fetcher, index, alias, follow)
    current, num_added = counted[-1]
    _log.info("index %s: %d rows added, generation %s", index, num_added, manifest.generation)
    return AddResult(
        index=index,
        alias=alias,
        generation=manifest.generation,
        changed=manifest.generation != current.generation,
        table_version=manifest.table_version,
        num_added=num_added,
        num_removed=current.num_rows + num_added - manifest.num_rows,
        num_rows=manifest.num_rows,
        num_delta_shards=sum(shard.is_delta for shard in manifest.shards),
        advice=_advice(manifest, alias),
    )


def _change_since(
    table: CodeTable, current: IndexManifest, log: DeletionLog, fetcher: ShardFetcher
) -> GenerationChange:
    newest = table.snapshot()
    if newest.version < current.table_version:
        raise UsageError(
            f"index {current.index} was built from version {current.table_version} of collection {current.collection}, "
            f"which has versions 0 to {newest.version} now: it was made anew; {current.remedy}"
        )
    old = table.snapshot(current.table_version)
    added, gone = _only_in(newest, old), _only_in(old, newest)
    deleted = deleted_by(fetcher.store, table, newest, log)
    num_left_out = sum(len(within(deleted, shard.ids.start, shard.ids.stop - 1)) for shard in added.shards)
    gone_ids = [np.arange(shard.ids.start, shard.ids.stop) for shard in gone.shards]
    return GenerationChange(
        table_version=newest.version,
        deleted=np.unique(np.concatenate([deleted, *gone_ids])),
        num_added=added.num_rows - num_left_out,
        added=read_rows(fetcher.store, table, added, deleted),
    )


def _only_in(snapshot: TableSnapshot, other: TableSnapshot) -> TableSnapshot:
    """The snapshot without the files that the other has."""
    known = {shard.name.file_name for shard in other.shards}
    return replace(snapshot, shards=tuple(shard for shard in snapshot.shards if shard.name.file_name not in known))


def _advice(manifest: IndexManifest, alias: str) -> str:
    remedy = f"make it whole: bitquarry index compact --index {manifest.index} --alias {alias}"
    num_deltas = sum(shard.is_delta for shard in manifest.shards)
    if num_deltas > _MANY_DELTAS:
        return f"it has {num_deltas} delta shards, which searches ask one by one; {remedy}"
    share = manifest.num_deleted / sum(shard.num_rows for shard in manifest.shards)
    if share > _MUCH_DELETED:
        return f"{share:.0%} of its rows are deleted ones, which searches pass over; {remedy}"
    return ""
