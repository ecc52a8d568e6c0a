"""`RequestBodies`: bodies are read up to a limit, one by one and all together, and only of a type that is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

_JSON = "application/json"
_BYTES = "application/octet-stream"


class RequestBodies:
    """`max_body_bytes` of one body; `max_bodies_bytes` of all that are held at this moment."""

    def __init__(self, max_body_bytes: int, max_bodies_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_bodies_bytes = max_bodies_bytes
        self._num_held = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body while the block lasts. Raises `HTTPException` 413, 415 for a compressed one, and 503."""
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            detail = "content-encoding: compressed bodies are not taken; send the body as it is"
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept-Encoding": "identity"})
        self._check_length(request.headers.get("content-length", "0"))
        chunks: list[bytes] = []
        num_read = 0
        try:
            async for chunk in request.stream():
                num_read += len(chunk)
                self._num_held += len(chunk)
                chunks.append(chunk)
                self._check_read(num_read)
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self._num_held -= num_read

    def _check_length(self, declared: str) -> None:
        """Before anything is read: a caller who waits for `100 Continue` need not send it."""
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            raise self._too_large()

    def _check_read(self, num_read: int) -> None:
        if num_read > self._max_body_bytes:
            raise self._too_large()
        if self._num_held > self._max_bodies_bytes:
            detail = "the service holds as many request bodies as it may; ask again later"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, detail)

    def _too_large(self) -> HTTPException:
        return HTTPException(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: expected at most {self._max_body_bytes:,} bytes"
        )


def require_json(request: Request) -> None:
    """Raises `HTTPException` 415. A page of another origin cannot send this type without asking first (CORS)."""
    media_type = media_type_of(request)
    if media_type != _JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-type = {media_type[:60]!r}: expected {_JSON}",
            {"Accept": _JSON},
        )


def require_picture(request: Request) -> None:
    """Raises `HTTPException` 415."""
    media_type = media_type_of(request)
    if not media_type.startswith("image/") and media_type != _BYTES:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"content-type = {media_type[:60]!r}: expected image/* or {_BYTES}, and the picture file as the body",
            {"Accept": f"image/*, {_BYTES}"},
        )


def media_type_of(request: Request) -> str:
    """Without parameters, in lower case; "" when not given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
