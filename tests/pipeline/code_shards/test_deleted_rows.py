"""Deleted rows are found by id in files that were there, by their bytes and URI in files that came later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.code_shards.deleted_rows import deleted_by, items_with_ids, rows_of
from pipeline.code_shards.deletion_log import DeletedItem, DeletionLog
from pipeline.object_store.local_store import LocalStore
from tests.pipeline.jobs.growing_pictures import commit_pictures
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog

STORE = LocalStore()


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    return make_picture_catalog(str(tmp_path))


def items_of(pictures: PictureCatalog, *keys: str) -> list[DeletedItem]:
    _, ids, all_keys = pictures.rows()
    wanted = np.sort(np.array([ids[all_keys.index(key)] for key in keys]))
    found = items_with_ids(STORE, pictures.table, pictures.table.snapshot(), wanted)
    assert {item.key for item in found} == set(keys)
    return found


def keys_at(pictures: PictureCatalog, found: np.ndarray) -> set[str]:
    _, ids, keys = pictures.rows()
    return {keys[int(np.flatnonzero(ids == item)[0])] for item in found}


def test_items_are_looked_up_where_their_ids_are(pictures: PictureCatalog) -> None:
    (item,) = items_of(pictures, "9.png")
    assert (item.uri, len(item.content_sha256)) == ("/pictures/9.png", 64)
    snapshot = pictures.table.snapshot()
    assert items_with_ids(STORE, pictures.table, snapshot, np.array([5, 2**62])) == []


def test_files_that_were_there_go_by_id(pictures: PictureCatalog) -> None:
    table, snapshot = pictures.table, pictures.table.snapshot()
    items = items_of(pictures, "3.png", "9.png")
    others = [replace(item, content_sha256="0" * 64, uri="elsewhere") for item in items]
    assert keys_at(pictures, rows_of(STORE, table, snapshot, others, snapshot)) == {"3.png", "9.png"}


def test_later_files_go_by_what_they_hold(pictures: PictureCatalog) -> None:
    before = pictures.table.snapshot()
    items = items_of(pictures, "3.png", "4.png")
    commit_pictures(pictures, range(7), task=100, replaces=[0], changed={4: 400})
    # The same bytes under another name are another item.
    commit_pictures(pictures, [40], task=101, changed={40: 3})
    table, snapshot = pictures.table, pictures.table.snapshot()
    found = rows_of(STORE, table, snapshot, items, before)
    assert keys_at(pictures, found) == {"3.png"}
    assert not set(found.tolist()) & {item.id for item in items}


def test_the_log_as_a_whole(pictures: PictureCatalog) -> None:
    table, log = pictures.table, DeletionLog(pictures.table.uri, STORE)
    assert deleted_by(STORE, table, table.snapshot(), log).tolist() == []
    log.record(items_of(pictures, "3.png"), table.snapshot().version)
    commit_pictures(pictures, range(7), task=100, replaces=[0], changed={5: 500})
    log.record(items_of(pictures, "5.png", "12.png"), table.snapshot().version)
    found = deleted_by(STORE, table, table.snapshot(), log)
    assert keys_at(pictures, found) == {"3.png", "5.png", "12.png"}
    assert found.tolist() == sorted(set(found.tolist()))
    # An older version holds what was deleted of it.
    assert len(deleted_by(STORE, table, table.snapshot(1), log)) == 2
