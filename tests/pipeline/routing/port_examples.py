"""Routers over small local indexes, and ports that fail in chosen ways."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.routing.local_searchers import local_ports
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.searcher_port import SearcherPort
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher

CALLS = ("search", "payload", "codes_of", "ids_of_key")


def open_ports(catalog: Path, manifest: IndexManifest, executor: ThreadPoolExecutor) -> list[SearcherPort]:
    """One port per shard."""
    specs = [
        SearcherSpec(catalog=str(catalog), index="photos", generation=manifest.generation, shard_names=(shard.name,))
        for shard in manifest.shards
    ]
    return local_ports([ShardSearcher.open(spec) for spec in specs], executor)


def make_router(manifest: IndexManifest, ports: list[SearcherPort], deadline_seconds: float = 20.0) -> QueryRouter:
    return QueryRouter(manifest, ports, deadline_seconds=deadline_seconds)


def replace_calls(port: SearcherPort, call: Callable[..., Future[Any]], names: tuple[str, ...] = CALLS) -> SearcherPort:
    changes: dict[str, Any] = dict.fromkeys(names, call)
    return replace(port, **changes)


def fails(*_: Any) -> Future[Any]:
    """A call to a searcher that is dead."""
    future: Future[Any] = Future()
    future.set_exception(OSError("its process died"))
    return future


def hangs(*_: Any) -> Future[Any]:
    """A call that is never answered."""
    return Future()
