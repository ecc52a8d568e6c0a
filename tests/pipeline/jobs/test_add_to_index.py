"""An index that follows its collection answers like one that is built anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import ConflictError, ModelMismatch, UnknownName, UsageError
from pipeline.jobs.add_to_index import add_to_index
from pipeline.jobs.delete_items import delete_items
from pipeline.jobs.search_index import open_search
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.jobs.growing_pictures import build, commit_pictures
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    made = make_picture_catalog(str(tmp_path / "catalog"))
    build(made)
    return made


def answers(pictures: PictureCatalog) -> list[list[tuple[int | float, int, str]]]:
    with open_search(pictures.catalog, "photos") as session:
        return [
            [(found.distance, found.id, found.key) for found in session.query_hex(code, k=100).neighbors[0]]
            for code in ("0000", "5a00", "ff00")
        ]


def test_answers_are_those_of_a_new_build(pictures: PictureCatalog) -> None:
    commit_pictures(pictures, range(20, 29), task=20)
    commit_pictures(pictures, range(7), task=100, replaces=[0], changed={2: 200})
    delete_items(pictures.catalog, "photos", keys=["8.png"])
    result = add_to_index(pictures.catalog, "photos")
    assert result.changed
    assert (result.num_added, result.num_removed, result.num_rows) == (16, 7, 28)
    assert (result.num_delta_shards, result.table_version) == (1, pictures.table.snapshot().version)
    followed = answers(pictures)
    built = build(pictures)
    assert built.num_rows == 28
    assert answers(pictures) == followed
    assert len({key for _, _, key in followed[0]}) == 28


def test_nothing_new_makes_no_generation(pictures: PictureCatalog) -> None:
    before = IndexCatalog(pictures.catalog, LocalStore()).resolve("photos", "live")
    result = add_to_index(pictures.catalog, "photos")
    assert (result.changed, result.generation, result.num_added, result.num_removed) == (
        False,
        before.generation,
        0,
        0,
    )
    commit_pictures(pictures, [20], task=20)
    assert add_to_index(pictures.catalog, "photos").changed
    assert not add_to_index(pictures.catalog, "photos").changed


def test_many_additions_advise_to_compact(pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.jobs.add_to_index._MANY_DELTAS", 2)
    for number in range(20, 23):
        commit_pictures(pictures, [number], task=number)
        result = add_to_index(pictures.catalog, "photos")
        assert bool(result.advice) == (number == 22)
    assert "3 delta shards" in result.advice
    assert "bitquarry index compact --index photos --alias live" in result.advice
    delete_items(pictures.catalog, "photos", keys=[f"{number}.png" for number in range(6)])
    monkeypatch.undo()
    assert "26% of its rows are deleted" in add_to_index(pictures.catalog, "photos").advice


def test_a_task_encoded_again_as_it_was_needs_a_build(pictures: PictureCatalog) -> None:
    commit_pictures(pictures, range(7), task=100, replaces=[0], changed={2: 200})
    add_to_index(pictures.catalog, "photos")
    commit_pictures(pictures, range(7), task=0, replaces=[100])
    with pytest.raises(ConflictError, match=r"rows of 7 of the new ids already.*bitquarry index build"):
        add_to_index(pictures.catalog, "photos")
    assert build(pictures).num_rows == 20
    assert len(answers(pictures)[0]) == 20


def test_refuses_other_collections(pictures: PictureCatalog, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no index named 'nope'"):
        add_to_index(pictures.catalog, "nope")
    commit_pictures(pictures, [20], task=20)
    commit_pictures(pictures, [21], task=21)
    add_to_index(pictures.catalog, "photos")
    home = tmp_path / "catalog" / "collections" / "pictures"
    shutil.rmtree(home)
    with pytest.raises(UsageError, match="there is no collection"):
        add_to_index(pictures.catalog, "photos")
    shutil.copytree(
        Path(make_picture_catalog(str(tmp_path / "other"), num_pictures=3).catalog) / "collections" / "pictures", home
    )
    with pytest.raises(UsageError, match="made anew"):
        add_to_index(pictures.catalog, "photos")


def test_refuses_codes_of_another_model(pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IndexCatalog, "resolve", _of_another_model(IndexCatalog.resolve))
    with pytest.raises(ModelMismatch):
        add_to_index(pictures.catalog, "photos")


def _of_another_model(resolve: object) -> object:
    from dataclasses import replace

    return lambda *arguments: replace(resolve(*arguments), model_fingerprint="0" * 64)  # type: ignore[operator]
