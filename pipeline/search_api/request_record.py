"""`RequestRecord`: the outermost layer. Every request gets an id, a deadline, a line in the log and a count."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.search_api.problem_response import problem_response
from pipeline.search_api.problems import Problem, problem_of
from pipeline.search_api.service_metrics import ServiceMetrics
from pipeline.search_api.structured_log import REQUESTS

_log = logging.getLogger(REQUESTS)
_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_UNMATCHED = "unmatched"


class RequestRecord:
    """Nothing that a caller wrote goes into the log but a request id of safe characters: no path, query, body, key or
    user agent."""

    def __init__(self, app: ASGIApp, *, metrics: ServiceMetrics, request_seconds: float) -> None:
        self._app = app
        self._metrics = metrics
        self._request_seconds = request_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def send_recorded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode("ascii")),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            async with asyncio.timeout(self._request_seconds):
                await self._app(scope, receive, send_recorded)
        except TimeoutError:
            if status == 0:
                detail = f"no answer within {self._request_seconds:g} s"
                problem = Problem(status=HTTPStatus.GATEWAY_TIMEOUT, detail=detail)
                await problem_response(problem, scope)(scope, receive, send_recorded)
        except Exception as error:
            # The server logs the traceback, which does not know the request.
            _log.error("request %s failed: %s", request_id, type(error).__name__)
            if status == 0:
                await problem_response(problem_of(error), scope)(scope, receive, send_recorded)
            raise
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", _UNMATCHED)
        self._metrics.count_request(route, status)
        if _log.isEnabledFor(logging.INFO):
            state = scope["state"]
            method = scope["method"] if scope["method"].isalpha() else "other"
            request = {
                "request_id": state["request_id"],
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(1000 * seconds, 3),
                "key_name": state.get("key_name"),
            }
            _log.info("%s %s: %d, request %s", method, route, status, state["request_id"], extra={"request": request})


def _request_id(scope: Scope) -> str:
    """The caller's own when it is safe to repeat, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SAFE_ID.fullmatch(value):
            return str(value, "ascii")
    return f"{random.getrandbits(64):016x}"
