"""The web page at `/`: plain files, the same for everybody, that a browser may run nothing else beside."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from pathlib import PurePosixPath

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_NAMES = (
    "page.css",
    "favicon.svg",
    "page.js",
    "elements.js",
    "service.js",
    "address.js",
    "pictures.js",
    "grid.js",
    "compare.js",
    "facts.js",
)
_PATHS = {"/": "index.html", **{f"/page/{name}": name for name in _NAMES}}
PAGE_PATHS = frozenset(_PATHS)
"""What a browser loads before anybody has given a key."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    # Asked for again at every visit, sent again only after an upgrade.
    "Cache-Control": "no-cache",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class _PageFile:
    content: bytes
    media_type: str
    etag: str


def page_router() -> APIRouter:
    """`/` and the files that it loads."""
    router = APIRouter(include_in_schema=False)
    for path, name in _PATHS.items():
        router.add_api_route(path, partial(_send, _read(name)), methods=["GET", "HEAD"], response_class=Response)
    return router


async def _send(file: _PageFile, request: Request) -> Response:
    headers = {**_HEADERS, "ETag": file.etag}
    if file.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _read(name: str) -> _PageFile:
    content = files(__package__).joinpath("web", name).read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _PageFile(content, _MEDIA_TYPES[PurePosixPath(name).suffix], etag)
