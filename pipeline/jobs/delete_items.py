"""The job behind `bitquarry delete`: items leave an index at once, and do not come back when it is built again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.deleted_rows import items_with_ids, rows_of
from pipeline.code_shards.deletion_log import DeletedItem, DeletionLog
from pipeline.code_shards.log_state import TableSnapshot
from pipeline.errors import UsageError
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.search_api.index_changes import ChangeResult
from pipeline.shard_index.changed_alias import move_alias
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.item_lookup import FoundItems, find_items
from pipeline.shard_index.shard_fetch import ShardFetcher

_log = logging.getLogger(__name__)
_MAX_ID = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class DeletionPlan:
    """What a deletion would do: `ids` of the items that go, ascending; `not_found` as in `ChangeResult`."""

    index: str
    generation: str
    ids: tuple[int, ...]
    not_found: tuple[str, ...]


def plan_deletion(
    catalog: str,
    index: str,
    *,
    alias: str = "live",
    ids: Sequence[int] = (),
    keys: Sequence[str] = (),
    cache_dir: Path | None = None,
) -> DeletionPlan:
    """Look up what `delete_items` would delete, and write nothing. Raises what that raises."""
    _check(ids, keys)
    store = open_store(catalog)
    manifest = IndexCatalog(catalog, store).resolve(index, alias)
    found = find_items(manifest, ShardFetcher(catalog, store, cache_dir), ids, keys)
    table = CodeTable.open(join_uri(catalog, "collections", manifest.collection))
    not_found = _not_found(found, DeletionLog(table.uri, store))
    return DeletionPlan(
        index=index, generation=manifest.generation, ids=tuple(found.living.tolist()), not_found=not_found
    )


def delete_items(
    catalog: str,
    index: str,
    *,
    alias: str = "live",
    ids: Sequence[int] = (),
    keys: Sequence[str] = (),
    cache_dir: Path | None = None,
) -> ChangeResult:
    """Record the deletion in the collection, then move the alias to a generation without the items. A key names every
    item that has it. An item that was deleted before is no error and not counted.

    Killed between the two steps, the same call completes it. Raises `UsageError` for nothing to delete and for what is
    no id, `UnknownName`, `ConflictError` when others keep changing the alias, `CorruptFile`, `StorageError`.
    """
    _check(ids, keys)
    store = open_store(catalog)
    fetcher = ShardFetcher(catalog, store, cache_dir)
    manifest = IndexCatalog(catalog, store).resolve(index, alias)
    found = find_items(manifest, fetcher, ids, keys)
    table = CodeTable.open(join_uri(catalog, "collections", manifest.collection))
    log = DeletionLog(table.uri, store)
    not_found = _not_found(found, log)
    if len(found.living):
        snapshot = table.snapshot(manifest.table_version)
        items = items_with_ids(store, table, snapshot, found.living)
        log.record(items, manifest.table_version)
        deletion = _Deletion(store, table, snapshot, items, found.living)
        manifest = move_alias(fetcher, index, alias, lambda current: _without(fetcher, current, deletion))
        _log.info("index %s: %d items deleted, generation %s", index, len(found.living), manifest.generation)
    return ChangeResult(index=index, generation=manifest.generation, num_deleted=len(found.living), not_found=not_found)


@dataclass(frozen=True, eq=False)
class _Deletion:
    """`ids` of `items`, looked up in `snapshot`."""

    store: ObjectStore
    table: CodeTable
    snapshot: TableSnapshot
    items: list[DeletedItem]
    ids: NDArray[np.int64]


def _without(fetcher: ShardFetcher, current: IndexManifest, deletion: _Deletion) -> IndexManifest:
    """When somebody has moved the alias to another version of the collection, the items may have other ids there."""
    ids = deletion.ids
    if current.table_version != deletion.snapshot.version:
        snapshot = deletion.table.snapshot(current.table_version)
        ids = np.union1d(ids, rows_of(deletion.store, deletion.table, snapshot, deletion.items, deletion.snapshot))
    return change_generation(fetcher, current, GenerationChange(table_version=current.table_version, deleted=ids))


def _check(ids: Sequence[int], keys: Sequence[str]) -> None:
    if not ids and not keys:
        raise UsageError("nothing to delete; name items by id or by key")
    for item in ids:
        if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item <= _MAX_ID:
            raise UsageError(f"id {item!r}: expected a whole number from 0 to {_MAX_ID}")


def _not_found(found: FoundItems, log: DeletionLog) -> tuple[str, ...]:
    """What names no item, without what the collection knows as deleted: an index that was built since has no row of
    it."""
    if not found.unknown_ids and not found.unknown_keys:
        return ()
    deleted = [item for deletion in log.read() for item in deletion.items]
    ids, keys = {item.id for item in deleted}, {item.key for item in deleted}
    return (
        *(str(item) for item in found.unknown_ids if item not in ids),
        *(key for key in found.unknown_keys if key not in keys),
    )
