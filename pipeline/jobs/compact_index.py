"""The job behind `bitquarry index compact`: an index built again as it is, without what changes left behind."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConflictError
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.changed_alias import move_alias
from pipeline.shard_index.deleted_ids import open_deleted
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.generation_draft import discard_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_fetch import ShardFetcher


def compact_index(catalog: str, index: str, *, alias: str = "live", cache_dir: Path | None = None) -> IndexManifest:
    """Build from the collection at the generation's version, with as many shards as were built and the same kind of
    search, and move the alias. A generation without delta shards and deleted rows stays as it is.

    Deletions meanwhile are kept. Raises `ConflictError` when rows were added meanwhile, and what `build_index` raises.
    """
    store = open_store(catalog)
    fetcher = ShardFetcher(catalog, store, cache_dir)
    current = IndexCatalog(catalog, store).resolve(index, alias)
    num_deltas = sum(shard.is_delta for shard in current.shards)
    if not num_deltas and not current.num_deleted:
        return current
    built = build_index(
        BuildSettings(
            catalog=catalog,
            collection=current.collection,
            index=index,
            num_shards=len(current.shards) - num_deltas,
            table_version=current.table_version,
            alias=None,
            search_kind=current.search.kind,
        )
    )

    def compacted(now: IndexManifest) -> IndexManifest:
        if now.table_version != built.table_version:
            raise ConflictError(
                f"alias {alias} of index {index} went to version {now.table_version} of its collection while version "
                f"{built.table_version} was compacted; run the same command again"
            )
        change = GenerationChange(table_version=built.table_version, deleted=open_deleted(now, fetcher))
        return change_generation(fetcher, built, change)

    try:
        return move_alias(fetcher, index, alias, compacted, built=built)
    except ConflictError:
        discard_generation(store, catalog, built)
        raise
