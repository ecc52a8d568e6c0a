"""Search by picture, code or item: `/v1/indexes/{name}/query`, `/query/image` and `/query/batch`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from pipeline.search_api.answer_models import BatchAnswer, QueryAnswer
from pipeline.search_api.json_response import json_response
from pipeline.search_api.openapi_document import body_answers, json_body
from pipeline.search_api.plain_route import PlainRoute
from pipeline.search_api.query_counting import QueryCounting
from pipeline.search_api.query_request import BatchRequest, QueryRequest
from pipeline.search_api.query_string import TERM_PARAMETERS, terms_of
from pipeline.search_api.request_body import RequestBodies, require_json, require_picture
from pipeline.search_api.search_service import SearchService
from pipeline.search_api.strict_json import read_request

_PICTURE: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_PICTURE_BODY = {"required": True, "content": {"image/*": _PICTURE, "application/octet-stream": _PICTURE}}


def query_router(service: SearchService, bodies: RequestBodies, counting: QueryCounting) -> APIRouter:
    """The routes over `service`."""
    router = APIRouter(prefix="/v1/indexes/{name}", tags=["search"], route_class=PlainRoute)

    @router.post("/query", responses=body_answers(QueryAnswer), openapi_extra=json_body(QueryRequest))
    async def query(name: str, request: Request) -> Response:
        """The nearest items to a picture, a code or an indexed item."""
        with counting.query(name) as counted:
            require_json(request)
            async with bodies.body(request) as body:
                answer = await service.query(name, read_request(body, QueryRequest))
            counted.answered(answer)
        return json_response(answer)

    @router.post(
        "/query/image",
        responses=body_answers(QueryAnswer),
        openapi_extra={"requestBody": _PICTURE_BODY, "parameters": TERM_PARAMETERS},
    )
    async def query_image(name: str, request: Request) -> Response:
        """The nearest items to the picture file that the body is."""
        with counting.query(name) as counted:
            require_picture(request)
            asked = terms_of(request.query_params)
            async with bodies.body(request) as body:
                answer = await service.query(name, asked, body)
            counted.answered(answer)
        return json_response(answer)

    @router.post("/query/batch", responses=body_answers(BatchAnswer), openapi_extra=json_body(BatchRequest))
    async def query_batch(name: str, request: Request) -> Response:
        """Several queries with the same terms. One that cannot be asked does not keep the others from their answers."""
        with counting.query(name) as counted:
            require_json(request)
            async with bodies.body(request) as body:
                asked = read_request(body, BatchRequest)
                counted.num_queries = len(asked.queries)
                answer = await service.query_batch(name, asked)
            counted.answered(answer)
        return json_response(answer)

    return router
