"""The job behind `bitquarry serve`: indexes of a catalog on a socket, until a signal ends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Protocol

from pipeline.errors import SettingsError, UnknownName, UsageError
from pipeline.jobs.delete_items import delete_items
from pipeline.jobs.generation_opening import OpenedIndex
from pipeline.jobs.index_staleness import IndexStaleness
from pipeline.jobs.local_generations import LocalGenerations
from pipeline.object_store.open_store import open_store
from pipeline.routing.live_index import LiveIndex
from pipeline.routing.query_batcher import BatchLimits
from pipeline.routing.search_session import SearchSession
from pipeline.search_api.http_server import HttpServer, address_of, bind_listener, is_on_loopback, serve_app
from pipeline.search_api.index_changes import ChangeResult, IndexChanges
from pipeline.search_api.key_file import KeyFile
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.served_index import ServedIndex, ServedSettings
from pipeline.search_api.service_app import make_app
from pipeline.search_api.service_limits import ServiceLimits
from pipeline.search_api.service_metrics import ServiceMetrics
from pipeline.search_api.structured_log import structured_log
from pipeline.settings import ServeSettings, Settings
from pipeline.shard_index.index_catalog import IndexCatalog


@dataclass(frozen=True, kw_only=True)
class ServiceStarted:
    """What is told once connections are accepted. `troubles`: why an index does not answer yet, by its name."""

    address: str
    indexes: tuple[str, ...]
    with_keys: bool
    pid: int
    troubles: dict[str, str]


def serve_index(
    catalog: str, indexes: Sequence[str], settings: Settings, on_started: Callable[[ServiceStarted], None]
) -> None:
    """Serve `indexes`, or all of the catalog, until SIGTERM or Ctrl-C. With `settings.search.num_searchers` the caller
    has joined Ray.

    Raises `UsageError` for an address that cannot be had and for one that is open to others without keys, `UnknownName`
    for an index or an alias, `SettingsError` for a limit.
    """
    serve = settings.serve
    limits = limits_of(serve)
    with ExitStack() as stack:
        if serve.json_log:
            stack.enter_context(structured_log(sys.stderr))
        listener = stack.enter_context(bind_listener(serve.host, serve.port))
        keys = keys_of(serve, on_loopback=is_on_loopback(listener))
        served = stack.enter_context(open_indexes(catalog, indexes, settings, limits))
        service = SearchService(served, changes_of(catalog, serve.alias, settings.search.cache_dir), limits)
        app = make_app(service, keys=keys, metrics=ServiceMetrics(), refresh_seconds=serve.refresh_seconds)

        def say_started() -> None:
            statuses = [each.status() for each in served.values()]
            started = ServiceStarted(
                address=address_of(listener),
                indexes=tuple(served),
                with_keys=keys is not None,
                pid=os.getpid(),
                troubles={status.index: "; ".join(status.reasons) for status in statuses if not status.ready},
            )
            on_started(started)

        server = HttpServer(app, limits, drain_seconds=serve.drain_seconds, on_started=say_started)
        serve_app(server, listener, limits)


class _Generations(Protocol):
    def open(self, generation: str, closing: ExitStack) -> SearchSession: ...
    def close(self) -> None: ...


@contextmanager
def open_indexes(
    catalog: str, names: Sequence[str], settings: Settings, limits: ServiceLimits
) -> Iterator[dict[str, ServedIndex]]:
    """The indexes by name, not refreshed yet. Raises `UnknownName` and `UsageError`."""
    serve = settings.serve
    indexes = IndexCatalog(catalog, open_store(catalog))
    staleness = IndexStaleness(catalog)
    batches = BatchLimits(max_queries=serve.max_batch_queries if serve.batching else 1, max_waiting=limits.max_waiting)
    served: dict[str, ServedIndex] = {}
    with ExitStack() as stack:
        for name in _named(indexes, names):
            indexes.resolve(name, serve.alias)
            opened = OpenedIndex(catalog, name, settings.search, limits.max_pixels)
            generations = _generations(opened, serve)
            stack.callback(generations.close)
            follow = partial(_alias_target, indexes, name, serve.alias)
            served[name] = ServedIndex(
                name,
                serve.alias,
                LiveIndex(follow, generations.open, batches),
                staleness.seconds,
                catalog=indexes,
                settings=ServedSettings(max_staleness_seconds=serve.max_staleness_seconds),
            )
        yield served


def keys_of(serve: ServeSettings, *, on_loopback: bool) -> KeyFile | None:
    """The keys that the service asks for. Raises `UsageError` when others can connect and there are none."""
    if serve.keys_file is not None:
        return KeyFile(Path(serve.keys_file))
    if not on_loopback:
        raise UsageError(
            f"serve.host {serve.host!r} lets other machines connect: give serve.keys_file (--keys), made by "
            "`bitquarry keys add`, or serve on 127.0.0.1"
        )
    return None


def limits_of(serve: ServeSettings) -> ServiceLimits:
    """The limits with those of the settings laid over them. Raises `SettingsError` that names the key."""
    known = {each.name: type(each.default) for each in fields(ServiceLimits)}
    for name, value in serve.limits.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise SettingsError(f"settings: unknown key 'serve.limits.{name}'; {hint}")
        if known[name] is int and not isinstance(value, int):
            raise SettingsError(f"serve.limits.{name} = {value!r}: expected a whole number")
    return ServiceLimits(**serve.limits)  # type: ignore[arg-type]  # checked above


def changes_of(catalog: str, alias: str, cache_dir: str | None) -> IndexChanges:
    """What callers with the right to write can do. Deletions go to the index behind `alias`."""
    indexes = IndexCatalog(catalog, open_store(catalog))

    def delete(index: str, ids: Sequence[int], keys: Sequence[str]) -> ChangeResult:
        cache = Path(cache_dir) if cache_dir else None
        return delete_items(catalog, index, alias=alias, ids=ids, keys=keys, cache_dir=cache)

    return IndexChanges(
        delete=delete,
        set_alias=lambda index, name, generation: indexes.point_alias(index, name, generation).generation,
        rollback_alias=lambda index, name: indexes.rollback_alias(index, name).generation,
    )


def _named(indexes: IndexCatalog, names: Sequence[str]) -> tuple[str, ...]:
    known = indexes.index_names()
    for name in names:
        if name not in known:
            raise UnknownName("index", name, known)
    if not known:
        raise UsageError("the catalog holds no index; make one: bitquarry index build")
    return tuple(dict.fromkeys(names)) or known


def _alias_target(indexes: IndexCatalog, index: str, alias: str) -> str:
    return indexes.resolve(index, alias).generation


def _generations(opened: OpenedIndex, serve: ServeSettings) -> _Generations:
    if opened.search.num_searchers == 0:
        if serve.num_replicas > 1:
            raise UsageError(
                f"serve.num_replicas = {serve.num_replicas}: threads have no replicas; give search.num_searchers "
                "(--searchers) too"
            )
        return LocalGenerations(opened)
    # Importing Ray takes longer than all the rest.
    from pipeline.jobs.actor_generations import ActorGenerations

    return ActorGenerations(opened, serve)
