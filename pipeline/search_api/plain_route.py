"""`PlainRoute`: FastAPI documents the endpoint, nothing of FastAPI runs between a request and it.

Endpoints here read their own bodies and give their own responses, so that FastAPI's solving of dependencies would only
cost: measured, it doubled the time of a query by code outside the search.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from inspect import signature
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response


class PlainRoute(APIRoute):
    """For endpoints whose parameters are the names in their path, which come as text, and perhaps `request`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Callable[..., Awaitable[Response]] = self.endpoint
        takes_request = "request" in signature(endpoint).parameters

        async def handle(request: Request) -> Response:
            if takes_request:
                return await endpoint(**request.path_params, request=request)
            return await endpoint(**request.path_params)

        return handle
