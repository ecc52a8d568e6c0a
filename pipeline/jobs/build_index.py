"""The job behind `bitquarry index build`: a collection at one version becomes the live generation of an index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.search.search_planner import PlanRequest
from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.deleted_rows import deleted_by
from pipeline.code_shards.deletion_log import DeletionLog
from pipeline.errors import UsageError
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.alias import AliasRecord
from pipeline.shard_index.collection_rows import read_rows
from pipeline.shard_index.deleted_ids import NO_IDS
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.index_builder import BuildPlan, build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_name import check_name
from pipeline.shard_index.search_structures import AUTO
from pipeline.shard_index.shard_fetch import ShardFetcher

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """`table_version` None means the newest; `alias` None leaves every alias as it is. `search_kind` and `expected` as
    in `BuildPlan`."""

    catalog: str
    collection: str
    index: str
    num_shards: int = 4
    table_version: int | None = None
    alias: str | None = "live"
    search_kind: str = AUTO
    expected: PlanRequest = field(default_factory=PlanRequest)


def build_index(settings: BuildSettings) -> IndexManifest:
    """Build one generation, without what was deleted from the collection, and switch the alias to it. Items that are
    deleted meanwhile leave it before the alias moves.

    Raises `UsageError` for bad names and an empty or missing collection, `CorruptFile`, `StorageError`.
    """
    if settings.alias is not None:
        check_name("alias", settings.alias)
    store = open_store(settings.catalog)
    collection = check_name("collection", settings.collection)
    table = CodeTable.open(join_uri(settings.catalog, "collections", collection))
    snapshot = table.snapshot()
    if settings.table_version is not None:
        check_version(collection, settings.table_version, snapshot.version)
        snapshot = table.snapshot(settings.table_version)
    log = DeletionLog(table.uri, store)
    seen = log.read()
    deleted = deleted_by(store, table, snapshot, log)
    plan = BuildPlan(
        catalog=settings.catalog,
        index=settings.index,
        collection=collection,
        table_version=snapshot.version,
        model_id=table.model_id,
        model_fingerprint=table.model_fingerprint,
        num_bits=table.num_bits,
        code_kind=table.code_kind,
        num_rows=snapshot.num_rows - len(deleted),
        num_shards=settings.num_shards,
        search_kind=settings.search_kind,
        expected=settings.expected,
    )
    manifest = build_generation(store, plan, read_rows(store, table, snapshot, deleted))
    if settings.alias is not None:
        fetcher = ShardFetcher(settings.catalog, store)

        def deleted_since() -> NDArray[np.int64]:
            return NO_IDS if log.read() == seen else deleted_by(store, table, snapshot, log)

        manifest = _publish(settings.alias, manifest, fetcher, deleted_since)
    _log.info(
        "built %s/%s: %d rows in %d shards",
        manifest.index,
        manifest.generation,
        manifest.num_rows,
        len(manifest.shards),
    )
    return manifest


def _publish(
    alias: str, built: IndexManifest, fetcher: ShardFetcher, deleted_since: Callable[[], NDArray[np.int64]]
) -> IndexManifest:
    """A deletion that the alias does not show yet moves it later, and will find this generation; one that it shows
    already must not be undone by it."""
    published = [built]

    def make(_: AliasRecord | None) -> str:
        change = GenerationChange(table_version=built.table_version, deleted=deleted_since())
        published.append(change_generation(fetcher, published[-1], change))
        return published[-1].generation

    IndexCatalog(fetcher.catalog, fetcher.store).alias_log(built.index, alias).move(make)
    return published[-1]


def check_version(collection: str, version: int, newest: int) -> None:
    if version > newest:
        raise UsageError(f"collection {collection} has versions 0 to {newest}, asked for {version}")
