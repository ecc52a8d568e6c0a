"""`open_search`: searchers for one generation of an index, in threads of this process or as Ray actors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from pipeline.jobs.generation_opening import OpenedIndex, load_encoder, searcher_specs
from pipeline.routing.local_searchers import local_ports
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.search_session import SearchSession
from pipeline.routing.searcher_port import SearcherPort
from pipeline.settings import SearchSettings
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
    opened = OpenedIndex(catalog, index, settings)
    manifest = opened.catalog_of_indexes.resolve(index, alias)
    ports = _thread_ports if settings.num_searchers == 0 else _actor_ports
    specs = searcher_specs(
        opened, manifest, place_shards(manifest.shards, settings.num_searchers or len(manifest.shards))
    )
    with ports(specs) as searchers:
        router = QueryRouter(manifest, searchers, deadline_seconds=settings.deadline_seconds)
        yield SearchSession(router, lambda: load_encoder(opened, manifest))


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
