"""`BearerGate`: with keys, nobody without one comes past, but for a few paths that say nothing of any index."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.key_file import KeyFile
from pipeline.search_api.problem_response import problem_response
from pipeline.search_api.problems import Problem
from pipeline.search_api.web_page import PAGE_PATHS

OPEN_PATHS = PAGE_PATHS | {"/favicon.ico", "/healthz", "/readyz", "/version"}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="bitquarry"'}


class BearerGate:
    """Lets requests pass that carry `Authorization: Bearer KEY` with one of `keys`, and those to `OPEN_PATHS`."""

    def __init__(self, app: ASGIApp, *, keys: ApiKeys | KeyFile) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            key = _bearer_key(scope)
            entry = self._keys.entry_of(key) if key is not None else None
            if entry is not None:
                scope["state"]["key_name"] = entry.name
                scope["state"]["key_right"] = entry.right
            elif scope["path"] not in OPEN_PATHS:
                await problem_response(_refusal(key), scope)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def require_write(request: Request) -> None:
    """Raises `HTTPException` 403 for a key that may only read. A service without keys asks for none."""
    if request.scope["state"].get("key_right", "write") != "write":
        raise HTTPException(HTTPStatus.FORBIDDEN, "this key may only read; this request needs a key with right write")


def _refusal(key: str | None) -> Problem:
    said = "no key given" if key is None else "unknown key"
    detail = f"{said}: send 'Authorization: Bearer KEY' with a key of this service (bitquarry keys add makes one)"
    return Problem(status=HTTPStatus.UNAUTHORIZED, detail=detail, headers=_CHALLENGE)


def _bearer_key(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(given) != 1:
        return None
    scheme, _, key = given[0].decode("latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
