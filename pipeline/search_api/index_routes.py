"""What is served: `/v1/indexes`, and single items."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.errors import UsageError
from pipeline.search_api.answer_models import IndexDetails, IndexList, ItemAnswer
from pipeline.search_api.json_response import json_response
from pipeline.search_api.openapi_document import answers
from pipeline.search_api.plain_route import PlainRoute
from pipeline.search_api.query_request import parse_item_id
from pipeline.search_api.search_service import SearchService


def index_router(service: SearchService) -> APIRouter:
    """The routes over `service`."""
    router = APIRouter(prefix="/v1/indexes", tags=["indexes"], route_class=PlainRoute)

    @router.get("", responses=answers(IndexList))
    async def indexes() -> Response:
        """Every served index and its state."""
        return json_response({"indexes": [served.status().to_json() for served in service.indexes.values()]})

    @router.get("/{name}", responses=answers(IndexDetails, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE))
    async def index(name: str) -> Response:
        """One served index: its state, columns, generations and aliases."""
        return json_response(await service.index_facts(name))

    @router.get(
        "/{name}/items/{item_id}",
        responses=answers(ItemAnswer, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    async def item(name: str, item_id: str) -> Response:
        """One indexed item."""
        return json_response(await service.item(name, checked_item_id(item_id)))

    return router


def checked_item_id(text: str) -> int:
    """An id in a path. Raises `UsageError`."""
    try:
        return parse_item_id(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
