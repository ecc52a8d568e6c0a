"""`make_app`: the HTTP service over a `SearchService`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import FastAPI

from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.bearer_gate import BearerGate
from pipeline.search_api.change_routes import change_router
from pipeline.search_api.clip_retrieval_routes import KnnRequest, clip_retrieval_router
from pipeline.search_api.code_routes import code_router
from pipeline.search_api.followed_changes import FollowedChanges
from pipeline.search_api.health_routes import health_router
from pipeline.search_api.host_gate import HostGate
from pipeline.search_api.index_routes import index_router
from pipeline.search_api.key_file import KeyFile
from pipeline.search_api.openapi_document import document
from pipeline.search_api.problem_response import answer_errors
from pipeline.search_api.query_counting import QueryCounting
from pipeline.search_api.query_request import (
    AliasRequest,
    BatchRequest,
    CompareRequest,
    DeleteRequest,
    EncodeRequest,
    QueryRequest,
)
from pipeline.search_api.query_routes import query_router
from pipeline.search_api.request_body import RequestBodies
from pipeline.search_api.request_record import RequestRecord
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.served_index import ServedIndex
from pipeline.search_api.service_metrics import ServiceMetrics
from pipeline.search_api.thumbnails import thumbnail_router
from pipeline.search_api.web_page import page_router

_log = logging.getLogger(__name__)
_DESCRIPTION = (
    "Exact search of pictures by compact binary codes. Distances count differing bits; ties go by ascending id."
)
_REQUESTS = (QueryRequest, BatchRequest, EncodeRequest, CompareRequest, DeleteRequest, AliasRequest, KnnRequest)


def make_app(
    service: SearchService, *, keys: ApiKeys | KeyFile | None, metrics: ServiceMetrics, refresh_seconds: float = 1.0
) -> FastAPI:
    """The application. While it runs, every index is refreshed each `refresh_seconds`; at its end all are closed.

    `keys` None asks nobody for a key: only for a service on loopback, which then refuses other host names.
    """
    changes = FollowedChanges(service, service.changes) if service.changes is not None else None
    app = FastAPI(
        title="Bitquarry",
        version=version("bitquarry"),
        description=_DESCRIPTION,
        lifespan=lambda _: _serving(service, changes, metrics, refresh_seconds),
        # Both pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    limits = service.limits
    bodies = RequestBodies(limits.max_body_bytes, limits.max_bodies_bytes)
    counting = QueryCounting(metrics, service.indexes)
    app.include_router(query_router(service, bodies, counting))
    app.include_router(code_router(service, bodies))
    app.include_router(index_router(service))
    app.include_router(thumbnail_router(service))
    app.include_router(change_router(changes, bodies))
    app.include_router(clip_retrieval_router(service, bodies, counting))
    app.include_router(health_router(service, metrics))
    app.include_router(page_router())
    answer_errors(app, retry_seconds=limits.retry_seconds)
    # The one added last is outermost.
    if keys is None:
        app.add_middleware(HostGate)
    else:
        app.add_middleware(BearerGate, keys=keys)
    app.add_middleware(RequestRecord, metrics=metrics, request_seconds=limits.request_seconds)
    app.openapi = partial(document, app, _REQUESTS, with_keys=keys is not None)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _serving(
    service: SearchService, changes: FollowedChanges | None, metrics: ServiceMetrics, refresh_seconds: float
) -> AsyncIterator[None]:
    every = list(service.indexes.values())
    for served in every:
        served.live.on_pass = metrics.observe_batch
    await asyncio.gather(*(_refresh(served, metrics) for served in every))
    following = [asyncio.create_task(_follow(served, metrics, refresh_seconds)) for served in every]
    try:
        yield
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        if changes is not None:
            changes.close()
        await service.close()


async def _follow(served: ServedIndex, metrics: ServiceMetrics, refresh_seconds: float) -> None:
    while True:
        await asyncio.sleep(refresh_seconds)
        await _refresh(served, metrics)


async def _refresh(served: ServedIndex, metrics: ServiceMetrics) -> None:
    """A refresh that fails in an unforeseen way is in the log, and tried again."""
    (failure,) = await asyncio.gather(served.refresh(), return_exceptions=True)
    if isinstance(failure, Exception):
        _log.error("index %s cannot be refreshed", served.name, exc_info=failure)
    metrics.observe_index(served.status())
