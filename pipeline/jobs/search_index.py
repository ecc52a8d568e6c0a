"""`open_search`: searchers for one generation of an index, in threads of this process or as Ray actors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from operators.decoders.image_decoder import DecodeLimits
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.routing.local_searchers import local_ports
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.search_session import SearchSession
from pipeline.routing.searcher_port import SearcherPort
from pipeline.settings import SearchSettings
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_placement import place_shards
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher

_START_SECONDS = 120.0
DEFAULT_SEARCH = SearchSettings()


@contextmanager
def open_search(
    catalog: str,
    index: str,
    *,
    alias: str = "live",
    settings: SearchSettings = DEFAULT_SEARCH,
) -> Iterator[SearchSession]:
    """Open the generation that `alias` points at now and keep to it. Without searchers in `settings`: threads of this
    process; with: as many Ray actors, in the Ray that the caller has joined. Answers are the same.

    Raises `UnknownName`, `UsageError`, `CorruptFile`, `StorageError` and `SearchError`.
    """
    manifest = IndexCatalog(catalog, open_store(catalog)).resolve(index, alias)
    ports = _thread_ports if settings.num_searchers == 0 else _actor_ports
    placement = place_shards(manifest.shards, settings.num_searchers or len(manifest.shards))
    specs = [
        SearcherSpec(
            catalog=catalog,
            index=index,
            generation=manifest.generation,
            shard_names=names,
            cache_dir=Path(settings.cache_dir) if settings.cache_dir else None,
            num_threads=settings.num_threads,
            device=settings.device,
        )
        for names in placement
    ]
    with ports(specs) as searchers:
        router = QueryRouter(manifest, searchers, deadline_seconds=settings.deadline_seconds)
        yield SearchSession(router, lambda: _load_encoder(catalog, manifest))


@contextmanager
def _thread_ports(specs: list[SearcherSpec]) -> Iterator[list[SearcherPort]]:
    executor = ThreadPoolExecutor(min(len(specs), os.cpu_count() or 1), thread_name_prefix="searcher")
    # A search that outlasted its deadline must not hold up the end of the session.
    with ExitStack() as stops:
        stops.callback(executor.shutdown, wait=False, cancel_futures=True)
        searchers = list(executor.map(ShardSearcher.open, specs))
        for searcher in searchers:
            stops.callback(searcher.stop)
        yield local_ports(searchers, executor)


@contextmanager
def _actor_ports(specs: list[SearcherSpec]) -> Iterator[list[SearcherPort]]:
    # Importing Ray takes longer than a query; searches in threads do without.
    from pipeline.actors.searcher_actor import actor_port, start_searchers, stop_searchers

    actors = start_searchers(specs, deadline_seconds=_START_SECONDS)
    try:
        yield [
            actor_port(name, spec.shard_names, actor) for (name, actor), spec in zip(actors.items(), specs, strict=True)
        ]
    finally:
        stop_searchers(actors)


def _load_encoder(catalog: str, manifest: IndexManifest) -> QueryEncoder:
    _, model = ModelStore(catalog, open_store(catalog)).load(manifest.model_id)
    return QueryEncoder(model, manifest, DecodeLimits())
