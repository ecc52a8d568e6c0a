"""Changes to an index: `/v1/deletes` and `/v1/aliases`, for keys with the right to write."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline.search_api.answer_models import AliasAnswer, DeleteAnswer
from pipeline.search_api.bearer_gate import require_write
from pipeline.search_api.followed_changes import FollowedChanges
from pipeline.search_api.json_response import json_response
from pipeline.search_api.openapi_document import body_answers, json_body
from pipeline.search_api.plain_route import PlainRoute
from pipeline.search_api.query_request import AliasRequest, DeleteRequest
from pipeline.search_api.request_body import RequestBodies, require_json
from pipeline.search_api.strict_json import read_request


def change_router(changes: FollowedChanges | None, bodies: RequestBodies) -> APIRouter:
    """The routes; without `changes` they refuse."""
    router = APIRouter(prefix="/v1", tags=["changes"], route_class=PlainRoute)

    @router.post("/deletes", responses=body_answers(DeleteAnswer), openapi_extra=json_body(DeleteRequest))
    async def deletes(request: Request) -> Response:
        """Take items out of an index, by id or key. The answer comes when no later answer holds them."""
        allowed = _allowed(changes, request)
        async with bodies.body(request) as body:
            return json_response(await allowed.delete(read_request(body, DeleteRequest)))

    @router.post("/aliases", responses=body_answers(AliasAnswer), openapi_extra=json_body(AliasRequest))
    async def aliases(request: Request) -> Response:
        """Point an alias at a generation, or back at the one before. The answer comes when the service has followed."""
        allowed = _allowed(changes, request)
        async with bodies.body(request) as body:
            return json_response(await allowed.change_alias(read_request(body, AliasRequest)))

    return router


def _allowed(changes: FollowedChanges | None, request: Request) -> FollowedChanges:
    """Raises `HTTPException` 403 and 415."""
    require_write(request)
    if changes is None:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this service takes no changes; change the index by the command line")
    require_json(request)
    return changes
