"""The job behind `bitquarry index build`: a collection at one version becomes the live generation of an index."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from operators.search.search_planner import PlanRequest
from pipeline.code_shards.code_table import CodeTable
from pipeline.errors import UsageError
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.shard_index.collection_rows import read_rows
from pipeline.shard_index.index_builder import BuildPlan, build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_name import check_name
from pipeline.shard_index.search_structures import AUTO

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
    """Build one generation and switch the alias to it.

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
    plan = BuildPlan(
        catalog=settings.catalog,
        index=settings.index,
        collection=collection,
        table_version=snapshot.version,
        model_id=table.model_id,
        model_fingerprint=table.model_fingerprint,
        num_bits=table.num_bits,
        code_kind=table.code_kind,
        num_rows=snapshot.num_rows,
        num_shards=settings.num_shards,
        search_kind=settings.search_kind,
        expected=settings.expected,
    )
    manifest = build_generation(store, plan, read_rows(store, table, snapshot))
    if settings.alias is not None:
        IndexCatalog(settings.catalog, store).point_alias(settings.index, settings.alias, manifest.generation)
    _log.info(
        "built %s/%s: %d rows in %d shards",
        manifest.index,
        manifest.generation,
        manifest.num_rows,
        len(manifest.shards),
    )
    return manifest


def check_version(collection: str, version: int, newest: int) -> None:
    if version > newest:
        raise UsageError(f"collection {collection} has versions 0 to {newest}, asked for {version}")
