"""Thumbnails: a small JPEG of one indexed item, `/v1/indexes/{name}/items/{item_id}/thumbnail`."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import numpy as np
from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from operators.decoders.image_decoder import DecodeLimits, decode_thumbnail
from operators.errors import MediaTooLarge, UndecodableMedia
from pipeline.errors import CorruptFile, ObjectNotFound, UnknownItem, UsageError
from pipeline.routing.search_session import SearchSession
from pipeline.search_api.bounded_threads import BoundedThreads
from pipeline.search_api.index_routes import checked_item_id
from pipeline.search_api.openapi_document import problems
from pipeline.search_api.search_service import SearchService
from pipeline.sources.media_fetch import fetch_media

MAX_SIDE = 256
THUMBNAIL_COLUMN = "thumbnail"
_CACHED_BYTES = 64 * 2**20
_NUM_THREADS = 2
_HEADERS = {
    # Private: it may be behind a key. Not for long: the item may be deleted.
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'",
    # Other sites cannot show what this one holds.
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Thumbnail:
    """`jpeg` holds pixels only, nothing of the original's metadata; `etag` as HTTP quotes it."""

    jpeg: bytes
    etag: str


class Thumbnails:
    """Made when first asked for, from the item's column `thumbnail` or the file that its `uri` names, and kept up to
    `cached_bytes`, the last used longest. For one event loop."""

    def __init__(self, service: SearchService, cached_bytes: int) -> None:
        self._service = service
        self._limits = DecodeLimits(max_pixels=service.limits.max_pixels)
        self._threads = BoundedThreads("thumbnail", _NUM_THREADS, service.limits.max_waiting)
        self._cached_bytes = cached_bytes
        self._kept: OrderedDict[tuple[str, str, int], Thumbnail] = OrderedDict()
        self._num_bytes = 0

    async def of_item(self, name: str, item_id: int) -> Thumbnail:
        """Raises `UnknownName`, `UnknownItem`, `HTTPException` 404 for an item whose picture is gone or damaged,
        `ServiceOverloaded`, `SearchError` and `StorageError`."""
        async with self._service.served(name).live.using() as generation:
            # A generation never changes, so what it held it holds.
            key = (name, generation.name, item_id)
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            thumbnail = await self._threads.run(_make, generation.session, item_id, self._limits)
        self._keep(key, thumbnail)
        return thumbnail

    def close(self) -> None:
        self._threads.close()

    def _keep(self, key: tuple[str, str, int], thumbnail: Thumbnail) -> None:
        if key in self._kept:
            return
        self._kept[key] = thumbnail
        self._num_bytes += len(thumbnail.jpeg)
        while self._num_bytes > self._cached_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._num_bytes -= len(oldest.jpeg)


def thumbnail_router(service: SearchService, cached_bytes: int = _CACHED_BYTES) -> APIRouter:
    """The route over `service`."""
    thumbnails = Thumbnails(service, cached_bytes)

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            thumbnails.close()

    router = APIRouter(prefix="/v1/indexes/{name}/items/{item_id}", tags=["indexes"], lifespan=closing)
    refusals = problems(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE)
    picture = {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}

    @router.get("/thumbnail", response_class=Response, responses={200: picture, 304: {}, **refusals})
    async def thumbnail(name: str, item_id: str, request: Request) -> Response:
        """An indexed item as JPEG, no side above 256 pixels."""
        found = await thumbnails.of_item(name, checked_item_id(item_id))
        headers = {**_HEADERS, "ETag": found.etag}
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(found.jpeg, media_type="image/jpeg", headers=headers)

    return router


def _make(session: SearchSession, item_id: int, limits: DecodeLimits) -> Thumbnail:
    try:
        (columns,) = session.router.payload_of(np.array([item_id], np.int64)).to_pylist()
    except UsageError:
        raise UnknownItem(f"index {session.manifest.index} holds no item with id {item_id}") from None
    try:
        own = columns.get(THUMBNAIL_COLUMN)
        # Text of that name is somebody's own column.
        data = own if isinstance(own, bytes) and own else fetch_media(columns["uri"], max_bytes=limits.max_bytes)
        jpeg = decode_thumbnail(data, max_side=MAX_SIDE, limits=limits)
    except (ObjectNotFound, CorruptFile, UndecodableMedia, MediaTooLarge) as error:
        detail = f"item {item_id} has no picture: {error}"
        raise HTTPException(HTTPStatus.NOT_FOUND, detail) from None
    return Thumbnail(jpeg, f'"{hashlib.sha256(jpeg).hexdigest()[:32]}"')
