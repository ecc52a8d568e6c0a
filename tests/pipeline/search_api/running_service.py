"""The search service on a free loopback port, run by uvicorn in a thread, over searchers in this process."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI

from operators.decoders.image_decoder import DecodeLimits
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.routing.live_index import LiveIndex
from pipeline.routing.local_searchers import local_ports
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.search_session import SearchSession
from pipeline.routing.searcher_port import SearcherPort
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.http_server import HttpServer
from pipeline.search_api.index_changes import IndexChanges
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.served_index import ServedIndex
from pipeline.search_api.service_app import make_app
from pipeline.search_api.service_limits import DEFAULT_LIMITS, ServiceLimits
from pipeline.search_api.service_metrics import ServiceMetrics
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher

_START_SECONDS = 20.0


@dataclass(frozen=True)
class Reply:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class RunningService:
    """`ports[generation]` are the searchers of a generation that is open; a test may replace or break them."""

    url: str
    service: SearchService
    metrics: ServiceMetrics
    ports: dict[str, list[SearcherPort]] = field(default_factory=dict)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return ask(self.url, "GET", path, headers=headers)

    def post(self, path: str, content: Any, headers: Mapping[str, str] | None = None) -> Reply:
        """Send `content` as JSON."""
        headers = {"Content-Type": "application/json", **(headers or {})}
        return ask(self.url, "POST", path, json.dumps(content).encode(), headers)

    def send(self, path: str, body: bytes, media_type: str = "application/json") -> Reply:
        """Send bytes as they are."""
        return ask(self.url, "POST", path, body, {"Content-Type": media_type})


def ask(url: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, response.read())
    finally:
        connection.close()


@contextmanager
def running_app(app: FastAPI, limits: ServiceLimits = DEFAULT_LIMITS) -> Iterator[str]:
    """The base URL of an application that `HttpServer` runs in a thread until the block ends."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = HttpServer(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            _wait_until_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def running_service(
    catalog: str,
    index: str,
    *,
    keys: ApiKeys | None = None,
    changes: IndexChanges | None = None,
    limits: ServiceLimits = DEFAULT_LIMITS,
    refresh_seconds: float = 0.1,
) -> Iterator[RunningService]:
    """Serve `index` of `catalog` by its alias `live`, one searcher thread per shard."""
    ports: dict[str, list[SearcherPort]] = {}
    indexes = IndexCatalog(catalog, open_store(catalog))

    def open_generation(generation: str, closing: ExitStack) -> SearchSession:
        return open_session(catalog, indexes.manifest(index, generation), closing, ports)

    live = LiveIndex(lambda: indexes.resolve(index, "live").generation, open_generation)
    served = ServedIndex(index, "live", live, lambda _: 0.0, catalog=indexes)
    service = SearchService({index: served}, changes, limits)
    metrics = ServiceMetrics()
    with running_app(make_app(service, keys=keys, metrics=metrics, refresh_seconds=refresh_seconds), limits) as url:
        yield RunningService(url=url, service=service, metrics=metrics, ports=ports)


def open_session(
    catalog: str, manifest: IndexManifest, closing: ExitStack, ports: dict[str, list[SearcherPort]]
) -> SearchSession:
    """One generation, searched by threads of this process. Its ports are left in `ports`."""
    executor = ThreadPoolExecutor(2)
    closing.callback(executor.shutdown, wait=False, cancel_futures=True)
    specs = [
        SearcherSpec(catalog=catalog, index=manifest.index, generation=manifest.generation, shard_names=(shard.name,))
        for shard in manifest.shards
    ]
    opened = local_ports([ShardSearcher.open(spec) for spec in specs], executor)
    router = QueryRouter(manifest, opened, deadline_seconds=20.0)
    ports[manifest.generation] = opened
    return SearchSession(router, lambda: _load_encoder(catalog, manifest))


def wait_until(condition: Any, what: str, seconds: float = 20.0) -> None:
    """Until `condition()` holds. Fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)


def _load_encoder(catalog: str, manifest: IndexManifest) -> QueryEncoder:
    _, model = ModelStore(catalog, open_store(catalog)).load(manifest.model_id)
    return QueryEncoder(model, manifest, DecodeLimits())


def _wait_until_started(server: HttpServer, thread: threading.Thread) -> None:
    wait_until(lambda: server.started or not thread.is_alive(), "the service listens", _START_SECONDS)
    assert server.started, "the service ended while it started"
