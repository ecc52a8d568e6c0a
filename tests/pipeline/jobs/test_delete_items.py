"""Deleted items are gone from every kind of answer at once, and stay gone when the index is built or followed again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.code_shards.deletion_log import DeletionLog
from pipeline.errors import ConflictError, UnknownItem, UnknownName, UsageError
from pipeline.jobs.add_to_index import add_to_index
from pipeline.jobs.delete_items import delete_items, plan_deletion
from pipeline.jobs.search_index import open_search
from pipeline.object_store.local_store import LocalStore
from pipeline.search_api.index_changes import ChangeResult
from pipeline.shard_index.alias import AliasLog
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.jobs.growing_pictures import build, commit_pictures, keys_of
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    made = make_picture_catalog(str(tmp_path))
    build(made)
    return made


def delete(pictures: PictureCatalog, *, ids: Sequence[int] = (), keys: Sequence[str] = ()) -> ChangeResult:
    return delete_items(pictures.catalog, "photos", ids=ids, keys=keys)


def all_keys(pictures: PictureCatalog) -> set[str]:
    """Keys that a search for everything finds."""
    with open_search(pictures.catalog, "photos") as session:
        return keys_of(session.query_hex("0000", k=100))


def num_generations(pictures: PictureCatalog) -> int:
    return len(IndexCatalog(pictures.catalog, LocalStore()).generations("photos"))


def id_of(pictures: PictureCatalog, key: str) -> int:
    _, ids, keys = pictures.rows()
    return int(ids[keys.index(key)])


EVERYTHING = {f"{number}.png" for number in range(20)}


def test_deleted_items_are_gone_from_every_answer(pictures: PictureCatalog) -> None:
    item = id_of(pictures, "3.png")
    result = delete(pictures, ids=[item], keys=["12.png"])
    assert (result.index, result.num_deleted, result.not_found) == ("photos", 2, ())
    assert all_keys(pictures) == EVERYTHING - {"3.png", "12.png"}
    with open_search(pictures.catalog, "photos") as session:
        assert session.manifest.generation == result.generation
        assert session.manifest.num_rows == 18
        assert session.query_key("4.png", k=5).coverage.rows_total == 18
        for ask in (lambda: session.query_id(item, k=3), lambda: session.router.payload_of(np.array([item]))):
            with pytest.raises(UnknownItem, match=f"index photos holds no item with id {item}"):
                ask()
        with pytest.raises(UnknownItem, match=r"holds no item with key .12\.png."):
            session.query_key("12.png", k=3)


def test_twice_is_fine_and_counts_nothing(pictures: PictureCatalog) -> None:
    item = id_of(pictures, "3.png")
    first = delete(pictures, keys=["3.png"])
    again = delete(pictures, ids=[item], keys=["3.png"])
    assert again == ChangeResult(index="photos", generation=first.generation, num_deleted=0)
    assert num_generations(pictures) == 2
    build(pictures)
    after = delete(pictures, ids=[item], keys=["3.png", "no such.png"])
    assert (after.num_deleted, after.not_found) == (0, ("no such.png",))


def test_what_is_not_there_is_named_and_the_rest_deleted(pictures: PictureCatalog) -> None:
    result = delete(pictures, ids=[1, id_of(pictures, "5.png")], keys=["nope", "6.png", "nope"])
    assert (result.num_deleted, result.not_found) == (2, ("1", "nope"))
    assert all_keys(pictures) == EVERYTHING - {"5.png", "6.png"}


def test_a_plan_writes_nothing(pictures: PictureCatalog) -> None:
    plan = plan_deletion(pictures.catalog, "photos", keys=["3.png", "nope"])
    assert (plan.ids, plan.not_found) == ((id_of(pictures, "3.png"),), ("nope",))
    assert all_keys(pictures) == EVERYTHING
    assert DeletionLog(pictures.table.uri, LocalStore()).read() == ()


def test_a_rebuild_does_not_bring_items_back(pictures: PictureCatalog) -> None:
    delete(pictures, keys=["3.png", "12.png"])
    manifest = build(pictures, num_shards=3)
    assert (manifest.num_rows, manifest.num_deleted) == (18, 0)
    assert all_keys(pictures) == EVERYTHING - {"3.png", "12.png"}


def test_a_deleted_item_stays_deleted_when_files_beside_it_change(pictures: PictureCatalog) -> None:
    delete(pictures, keys=["3.png"])
    # 5.png has changed, so that its whole task is encoded again and all its items have new ids.
    commit_pictures(pictures, range(7), task=100, replaces=[0], changed={5: 500})
    assert add_to_index(pictures.catalog, "photos").num_added == 6
    assert all_keys(pictures) == EVERYTHING - {"3.png"}
    build(pictures)
    assert all_keys(pictures) == EVERYTHING - {"3.png"}


def test_a_deleted_item_whose_file_changes_is_a_new_item(pictures: PictureCatalog) -> None:
    old = id_of(pictures, "3.png")
    delete(pictures, keys=["3.png"])
    commit_pictures(pictures, range(7), task=100, replaces=[0], changed={3: 300})
    add_to_index(pictures.catalog, "photos")
    assert all_keys(pictures) == EVERYTHING
    assert id_of(pictures, "3.png") != old
    assert delete(pictures, keys=["3.png"]).num_deleted == 1
    build(pictures)
    assert all_keys(pictures) == EVERYTHING - {"3.png"}


def test_everything_can_be_deleted(pictures: PictureCatalog) -> None:
    result = delete(pictures, keys=sorted(EVERYTHING))
    assert result.num_deleted == 20
    assert all_keys(pictures) == set()
    with pytest.raises(UsageError, match="collection pictures has no rows"):
        build(pictures)


def test_an_older_generation_still_has_them_and_add_takes_them_out_again(pictures: PictureCatalog) -> None:
    delete(pictures, keys=["3.png"])
    IndexCatalog(pictures.catalog, LocalStore()).rollback_alias("photos", "live")
    assert all_keys(pictures) == EVERYTHING
    result = add_to_index(pictures.catalog, "photos")
    assert (result.changed, result.num_removed, result.num_added) == (True, 1, 0)
    assert all_keys(pictures) == EVERYTHING - {"3.png"}


def test_only_the_alias_that_is_named_moves(pictures: PictureCatalog) -> None:
    indexes = IndexCatalog(pictures.catalog, LocalStore())
    old = indexes.resolve("photos", "live").generation
    indexes.point_alias("photos", "next", old)
    result = delete_items(pictures.catalog, "photos", alias="next", keys=["3.png"])
    assert indexes.resolve("photos", "next").generation == result.generation
    assert indexes.resolve("photos", "live").generation == old


def test_deletions_at_once_all_take_effect(pictures: PictureCatalog) -> None:
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        try:
            delete(pictures, keys=[f"{number}.png", f"{number + 10}.png"])
        except ConflictError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    gone = {f"{number}.png" for number in (0, 1, 2, 3, 10, 11, 12, 13)}
    assert all_keys(pictures) == EVERYTHING - gone
    # Generations of lost races are gone: the build and one for each deletion are left.
    assert num_generations(pictures) == 5


def test_a_race_that_is_lost_again_and_again_is_a_conflict(
    pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AliasLog, "_create", lambda *_: False)
    with pytest.raises(ConflictError, match="was changed by somebody else"):
        delete(pictures, keys=["3.png"])
    monkeypatch.undo()
    assert num_generations(pictures) == 1
    assert all_keys(pictures) == EVERYTHING
    # The collection knows it already; the next deletion, or the next add, completes it.
    assert delete(pictures, keys=["3.png"]).num_deleted == 1


def test_a_build_under_way_does_not_undo_a_deletion(pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    real = AliasLog.move

    def deleted_first(log: AliasLog, make: object) -> object:
        monkeypatch.setattr(AliasLog, "move", real)
        delete(pictures, keys=["3.png"])
        return real(log, make)  # type: ignore[arg-type]

    monkeypatch.setattr(AliasLog, "move", deleted_first)
    manifest = build(pictures)
    assert (manifest.num_rows, manifest.num_deleted) == (19, 1)
    assert all_keys(pictures) == EVERYTHING - {"3.png"}


def test_refuses_what_names_nothing(pictures: PictureCatalog) -> None:
    with pytest.raises(UsageError, match="nothing to delete"):
        delete(pictures)
    for bad in (-1, 2**63, True):
        with pytest.raises(UsageError, match="expected a whole number from 0"):
            delete(pictures, ids=[bad])
    with pytest.raises(UnknownName, match="no index named 'nope'"):
        delete_items(pictures.catalog, "nope", ids=[1])
    with pytest.raises(UnknownName, match="no alias named 'next of index photos'"):
        delete_items(pictures.catalog, "photos", alias="next", ids=[1])
