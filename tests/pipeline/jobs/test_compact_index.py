"""A compacted index answers as before; changes meanwhile are kept, or the command says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConflictError
from pipeline.jobs import build_index as build_module
from pipeline.jobs.add_to_index import add_to_index
from pipeline.jobs.compact_index import compact_index
from pipeline.jobs.delete_items import delete_items
from pipeline.jobs.search_index import open_search
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from tests.pipeline.jobs.growing_pictures import build, commit_pictures
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    """Index `photos` lags two pictures behind its collection, has one delta shard and lacks a deleted item."""
    made = make_picture_catalog(str(tmp_path))
    build(made)
    commit_pictures(made, [20, 21], task=20)
    add_to_index(made.catalog, "photos")
    delete_items(made.catalog, "photos", keys=["3.png"])
    commit_pictures(made, [22, 23], task=22)
    return made


def answer(pictures: PictureCatalog) -> list[tuple[int | float, int, str]]:
    with open_search(pictures.catalog, "photos") as session:
        return [(hit.distance, hit.id, hit.key) for hit in session.query_hex("0000", k=100).neighbors[0]]


def live(pictures: PictureCatalog) -> IndexManifest:
    return IndexCatalog(pictures.catalog, LocalStore()).resolve("photos", "live")


def test_answers_and_version_stay(pictures: PictureCatalog) -> None:
    before, answered = live(pictures), answer(pictures)
    manifest = compact_index(pictures.catalog, "photos")
    assert answer(pictures) == answered
    assert live(pictures) == manifest
    assert (manifest.table_version, manifest.num_rows, manifest.num_deleted) == (before.table_version, 21, 0)
    assert [shard.home for shard in manifest.shards] == [None, None]
    assert manifest.search.kind == before.search.kind
    assert compact_index(pictures.catalog, "photos") == manifest


def meanwhile(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Have something happen after the build, before the alias moves."""
    real = build_module.build_index

    def build_index(*arguments: Any) -> IndexManifest:
        built = real(*arguments)
        change()
        return built

    monkeypatch.setattr("pipeline.jobs.compact_index.build_index", build_index)


def test_a_deletion_meanwhile_is_kept(pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = answer(pictures)
    meanwhile(monkeypatch, lambda: delete_items(pictures.catalog, "photos", keys=["7.png", "21.png"]))
    manifest = compact_index(pictures.catalog, "photos")
    assert (manifest.num_rows, manifest.num_deleted) == (19, 2)
    assert answer(pictures) == [hit for hit in answered if hit[2] not in ("7.png", "21.png")]


def test_rows_added_meanwhile_are_a_conflict(pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    meanwhile(monkeypatch, lambda: add_to_index(pictures.catalog, "photos"))
    num_generations = len(IndexCatalog(pictures.catalog, LocalStore()).generations("photos"))
    with pytest.raises(ConflictError, match=r"went to version 3 .* while version 2 was compacted; run the same"):
        compact_index(pictures.catalog, "photos")
    assert live(pictures).num_rows == 23
    # That of the addition is new; what was built for nothing is gone.
    assert len(IndexCatalog(pictures.catalog, LocalStore()).generations("photos")) == num_generations + 1
    monkeypatch.undo()
    assert compact_index(pictures.catalog, "photos").num_rows == 23
