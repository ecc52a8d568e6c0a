"""For machines that look after the service: `/healthz`, `/readyz`, `/version` and `/metrics`."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.search_api.answer_models import HealthAnswer, ReadyAnswer, VersionAnswer
from pipeline.search_api.json_response import json_response
from pipeline.search_api.openapi_document import answers, problems
from pipeline.search_api.plain_route import PlainRoute
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.service_metrics import ServiceMetrics


def health_router(service: SearchService, metrics: ServiceMetrics) -> APIRouter:
    """The routes over `service`."""
    router = APIRouter(tags=["health"], route_class=PlainRoute)

    @router.get("/healthz", responses=answers(HealthAnswer))
    async def healthz() -> Response:
        """The process answers; nothing is said of its indexes."""
        return json_response({"status": "ok"})

    @router.get("/readyz", responses={**answers(ReadyAnswer), 503: {"model": ReadyAnswer}})
    async def readyz() -> Response:
        """200 when every index answers from all its shards and is fresh enough; 503 with the reasons otherwise."""
        statuses = [served.status() for served in service.indexes.values()]
        ready = bool(statuses) and all(status.ready for status in statuses)
        content = {"ready": ready, "indexes": [status.to_json() for status in statuses]}
        return json_response(content, 200 if ready else 503)

    @router.get("/version", responses=answers(VersionAnswer))
    async def version_() -> Response:
        """What runs here."""
        return json_response({"name": "bitquarry", "version": version("bitquarry")})

    @router.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()})
    async def metrics_() -> Response:
        """For Prometheus."""
        for served in service.indexes.values():
            metrics.set_waiting(served.name, served.live.num_waiting)
        content, media_type = metrics.render()
        return Response(content, media_type=media_type)

    return router
