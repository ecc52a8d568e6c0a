"""`HostGate`: a service without keys answers only to its own names.

A web page whose name is made to resolve to 127.0.0.1 (DNS rebinding) would otherwise read the index with the browser of
whoever opens it. The browser sends that page's name as `Host`.
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.search_api.problem_response import problem_response
from pipeline.search_api.problems import Problem


class HostGate:
    """Lets requests pass whose one `Host` header is a loopback name or address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"host"]
            if len(given) != 1 or not is_loopback(given[0].decode("latin-1")):
                detail = "this service has no keys and answers on loopback only: ask it as localhost or 127.0.0.1"
                problem = Problem(status=HTTPStatus.FORBIDDEN, detail=detail)
                await problem_response(problem, scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether a `Host` header (name or address, perhaps with a port) names this machine's loopback."""
    name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
    if port and not port.isdigit():
        return False
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
