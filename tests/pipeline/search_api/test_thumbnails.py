"""Thumbnails: from the item's file or its own column, of indexed items only, and never more than pixels."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi import FastAPI
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.errors import StorageError, UnknownName, UsageError
from pipeline.search_api import thumbnails as thumbnails_module
from pipeline.search_api.problem_response import answer_errors
from pipeline.search_api.service_limits import ServiceLimits
from pipeline.search_api.thumbnails import thumbnail_router
from pipeline.sources.media_fetch import fetch_media
from tests.pipeline.search_api.running_service import Reply, ask, running_app, wait_until


@dataclass
class Items:
    """Stands for a service with one index `a` and one generation: the payload of its items, by id."""

    rows: dict[int, dict[str, Any]]
    limits: ServiceLimits
    generation: str = "g1"
    num_looked_up: int = 0

    def served(self, name: str) -> Items:
        if name != "a":
            raise UnknownName("index", name, ("a",))
        return self

    @property
    def live(self) -> Items:
        return self

    def using(self) -> Items:
        return self

    async def __aenter__(self) -> Items:
        return self

    async def __aexit__(self, *error: object) -> None:
        return

    @property
    def name(self) -> str:
        return self.generation

    @property
    def session(self) -> Items:
        return self

    @property
    def manifest(self) -> Items:
        return self

    @property
    def index(self) -> str:
        return "a"

    @property
    def router(self) -> Items:
        return self

    def payload_of(self, ids: np.ndarray) -> pa.Table:
        self.num_looked_up += 1
        if int(ids[0]) not in self.rows:
            raise UsageError("shard 0 holds no such id")
        return pa.Table.from_pylist([self.rows[int(ids[0])]])


@dataclass
class Shown:
    items: Items
    url: str
    folder: Path

    def get(self, item_id: object, index: str = "a", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.url, "GET", f"/v1/indexes/{index}/items/{item_id}/thumbnail", headers=named)

    def put(self, item_id: int, data: bytes, name: str = "") -> Path:
        """Index a file with these bytes."""
        path = self.folder / (name or f"{item_id}.bin")
        path.write_bytes(data)
        self.items.rows[item_id] = {"key": name, "uri": str(path)}
        return path


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    items = Items({}, ServiceLimits(max_pixels=250_000))
    app = FastAPI()
    app.include_router(thumbnail_router(items))  # type: ignore[arg-type]
    answer_errors(app)
    with running_app(app) as url:
        yield Shown(items, url, tmp_path)


def _encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    encoded = BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def _decoded(reply: Reply) -> Image.Image:
    assert (reply.status, reply.headers["content-type"]) == (200, "image/jpeg"), reply.body
    return Image.open(BytesIO(reply.body))


def test_a_large_picture_is_made_small_and_a_small_one_stays(shown: Shown) -> None:
    shown.put(1, _encoded(Image.new("RGB", (600, 400), "red")))
    shown.put(2, _encoded(Image.new("RGB", (40, 30), "red")))
    assert _decoded(shown.get(1)).size == (256, 171)
    assert _decoded(shown.get(2)).size == (40, 30)


def test_the_picture_stands_upright_on_white_and_keeps_no_metadata(shown: Shown) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    exif[0x010F] = "secret maker"
    photo = Image.new("RGB", (60, 20), "blue")
    shown.put(1, _encoded(photo, "JPEG", exif=exif, comment=b"secret comment"))
    notes = PngInfo()
    notes.add_text("where", "secret place")
    shown.put(2, _encoded(Image.new("RGBA", (20, 20), (0, 0, 0, 0)), pnginfo=notes))
    turned, clear = shown.get(1), shown.get(2)
    assert _decoded(turned).size == (20, 60)
    assert np.asarray(_decoded(clear)).min() > 250
    for reply in (turned, clear):
        assert b"secret" not in reply.body
        assert b"Exif" not in reply.body
        assert not _decoded(reply).getexif()


def test_the_column_thumbnail_comes_before_the_file(shown: Shown) -> None:
    shown.put(1, _encoded(Image.new("RGB", (9, 9), "red")))
    shown.items.rows[1]["thumbnail"] = _encoded(Image.new("RGB", (300, 300), "lime"))
    small = _decoded(shown.get(1))
    assert small.size == (256, 256)
    assert small.convert("RGB").getpixel((5, 5))[1] > 200  # type: ignore[index]
    for item_id, other in enumerate((None, b"", "thumbs/1.jpg"), start=2):
        shown.items.rows[item_id] = {**shown.items.rows[1], "thumbnail": other}
        assert _decoded(shown.get(item_id)).size == (9, 9)


def test_an_unchanged_thumbnail_is_not_sent_again(shown: Shown) -> None:
    shown.put(1, _encoded(Image.new("RGB", (9, 9), "red")))
    first = shown.get(1)
    assert first.headers["etag"].strip('"') == hashlib.sha256(first.body).hexdigest()[:32]
    assert first.headers["cache-control"] == "private, max-age=300"
    assert first.headers["cross-origin-resource-policy"] == "same-origin"
    again = shown.get(1, If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("damage", ["gone", "empty", "text", "cut", "too many pixels"])
def test_a_picture_that_cannot_be_shown_is_not_found(shown: Shown, damage: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    good = _encoded(Image.fromarray(noise))
    data = {"empty": b"", "text": b"<html>", "cut": good[:2000]}.get(damage, good)
    if damage == "too many pixels":
        data = _encoded(Image.new("1", (600, 600)))
    path = shown.put(7, data)
    if damage == "gone":
        path.unlink()
    reply = shown.get(7)
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert reply.json()["detail"].startswith("item 7 has no picture: ")


def test_items_that_are_not_indexed_are_not_found(shown: Shown) -> None:
    shown.put(1, _encoded(Image.new("RGB", (9, 9))))
    assert (shown.get(2).status, shown.get(2).json()["detail"]) == (404, "index a holds no item with id 2")
    assert shown.get(1, index="b").status == 404
    assert shown.get("1.jpg").status == 400
    assert shown.get("..%2F1").status in (400, 404)


def test_a_store_that_fails_is_no_missing_picture(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(uri: str, *, max_bytes: int) -> bytes:
        raise StorageError("s3://photos: 500 from the store")

    shown.put(1, _encoded(Image.new("RGB", (9, 9))))
    monkeypatch.setattr(thumbnails_module, "fetch_media", fail)
    reply = shown.get(1)
    assert (reply.status, "retry-after" in reply.headers) == (503, True)


def test_thumbnails_are_kept_per_generation_and_the_longest_unused_are_dropped(tmp_path: Path) -> None:
    items = Items({}, ServiceLimits())
    app = FastAPI()
    app.include_router(thumbnail_router(items, cached_bytes=1500))  # type: ignore[arg-type]
    answer_errors(app)
    with running_app(app) as url:
        shown = Shown(items, url, tmp_path)
        for item_id in (1, 2, 3):
            shown.put(item_id, _encoded(Image.new("RGB", (16, 16), "red")))
        size = len(shown.get(1).body)
        assert 2 * size <= 1500 < 3 * size
        _ = shown.get(2), shown.get(1)
        assert items.num_looked_up == 2
        _ = shown.get(3), shown.get(1)  # drops 2
        assert items.num_looked_up == 3
        shown.get(2)
        assert items.num_looked_up == 4
        items.generation = "g2"
        del items.rows[1]
        assert shown.get(1).status == 404


def test_threads_end_with_the_service(tmp_path: Path) -> None:
    items = Items({}, ServiceLimits())
    app = FastAPI()
    app.include_router(thumbnail_router(items))  # type: ignore[arg-type]
    with running_app(app) as url:
        shown = Shown(items, url, tmp_path)
        shown.put(1, _encoded(Image.new("RGB", (16, 16), "red")))
        assert shown.get(1).status == 200
        assert _thumbnail_threads()
    wait_until(lambda: not _thumbnail_threads(), "the threads end")


def _thumbnail_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("thumbnail")]


def test_more_requests_than_may_wait_are_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = Items({}, ServiceLimits(max_waiting=1))
    app = FastAPI()
    app.include_router(thumbnail_router(items))  # type: ignore[arg-type]
    answer_errors(app)
    held = threading.Event()
    fetch = fetch_media

    def slow(uri: str, *, max_bytes: int) -> bytes:
        assert held.wait(20)
        return fetch(uri, max_bytes=max_bytes)

    monkeypatch.setattr(thumbnails_module, "fetch_media", slow)
    with running_app(app) as url, ThreadPoolExecutor(12) as callers:
        shown = Shown(items, url, tmp_path)
        for item_id in range(12):
            shown.put(item_id, _encoded(Image.new("RGB", (16, 16), "red")))
        try:
            replies = [callers.submit(shown.get, item_id) for item_id in range(12)]
            # Two are made, one waits.
            refused = [reply.result() for reply in islice(as_completed(replies, timeout=20), 9)]
        finally:
            held.set()
        statuses = sorted(reply.result().status for reply in replies)
    assert [reply.status for reply in refused] == [503] * 9
    assert refused[0].headers["retry-after"] == "1"
    assert statuses == [200] * 3 + [503] * 9
