"""Codes themselves: `/v1/encode` and `/v1/compare`."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.search_api.answer_models import CompareAnswer, EncodeAnswer
from pipeline.search_api.json_response import json_response
from pipeline.search_api.openapi_document import body_answers, json_body
from pipeline.search_api.plain_route import PlainRoute
from pipeline.search_api.query_request import CompareRequest, EncodeRequest
from pipeline.search_api.request_body import RequestBodies, require_json
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.strict_json import read_request


def code_router(service: SearchService, bodies: RequestBodies) -> APIRouter:
    """The routes over `service`."""
    router = APIRouter(prefix="/v1", tags=["codes"], route_class=PlainRoute)

    @router.post("/encode", responses=body_answers(EncodeAnswer), openapi_extra=json_body(EncodeRequest))
    async def encode(request: Request) -> Response:
        """The code of each picture, by the model of an index."""
        require_json(request)
        async with bodies.body(request) as body:
            return json_response(await service.encode(read_request(body, EncodeRequest)))

    @router.post("/compare", responses=body_answers(CompareAnswer), openapi_extra=json_body(CompareRequest))
    async def compare(request: Request) -> Response:
        """Distance and differing bits of two pictures, codes or items."""
        require_json(request)
        async with bodies.body(request) as body:
            return json_response(await service.compare(read_request(body, CompareRequest)))

    return router
