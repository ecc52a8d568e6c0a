"""Ids are told from others whatever shard holds them, and damage is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import CorruptFile
from pipeline.shard_index.deleted_ids import is_among, open_deleted, within
from pipeline.shard_index.item_lookup import find_items
from pipeline.shard_index.stored_ids import StoredIds
from tests.pipeline.shard_index.changed_examples import Growth, fetcher_of, grow
from tests.pipeline.shard_index.index_examples import flip_byte, make_corpus

CORPUS = make_corpus(30)
GROWTH = Growth(part=[row % 2 for row in range(30)], dead=[row % 6 == 0 for row in range(30)])


def test_stored_ids_of_every_shard(tmp_path: Path) -> None:
    manifest = grow(tmp_path, CORPUS, GROWTH)
    stored = StoredIds(manifest, fetcher_of(tmp_path))
    asked = np.sort(np.concatenate([CORPUS.ids, CORPUS.ids + 1, [0, 2**62]]))
    assert np.array_equal(stored.stored(asked), CORPUS.ids)
    assert np.array_equal(stored.stored_in(manifest.shards[-1], asked), CORPUS.ids[1::2])
    assert stored.stored(CORPUS.ids[:0]).tolist() == []


def test_only_shards_that_matter_are_read(tmp_path: Path) -> None:
    manifest = grow(tmp_path, CORPUS, GROWTH)
    assert manifest.shards[1].home is not None
    flip_byte(tmp_path / "indexes" / "photos" / manifest.shards[1].home / manifest.shards[1].ids.name)
    stored = StoredIds(manifest, fetcher_of(tmp_path))
    assert stored.stored(CORPUS.ids[:2]).tolist() == CORPUS.ids[:2].tolist()
    with pytest.raises(CorruptFile, match=manifest.shards[1].ids.name):
        stored.stored(CORPUS.ids[-2:])


def test_items_by_id_and_key(tmp_path: Path) -> None:
    manifest = grow(tmp_path, CORPUS, GROWTH)
    fetcher = fetcher_of(tmp_path)
    ids = [int(CORPUS.ids[row]) for row in (4, 6, 9)]
    found = find_items(manifest, fetcher, [*ids, 5, ids[0]], [CORPUS.key(row) for row in (12, 13, 14)] + ["no", "no"])
    assert found.living.tolist() == CORPUS.ids[[4, 9, 13, 14]].tolist()
    assert (found.unknown_ids, found.unknown_keys) == ((5,), ("no",))


def test_deleted_ids_are_checked(tmp_path: Path) -> None:
    manifest = grow(tmp_path, CORPUS, GROWTH)
    assert open_deleted(manifest, fetcher_of(tmp_path)).tolist() == CORPUS.ids[::6].tolist()
    path = tmp_path / "indexes" / "photos" / manifest.generation / "deleted.npy"
    flip_byte(path)
    with pytest.raises(CorruptFile, match=r"deleted\.npy"):
        open_deleted(manifest, fetcher_of(tmp_path))
    path.unlink()
    with pytest.raises(CorruptFile, match="is missing"):
        open_deleted(manifest, fetcher_of(tmp_path))


def test_among_and_within() -> None:
    ascending = np.array([3, 5, 9])
    assert is_among(np.array([9, 4, 3, 10]), ascending).tolist() == [True, False, True, False]
    assert is_among(np.array([9, 4]), ascending[:0]).tolist() == [False, False]
    assert within(ascending, 4, 9).tolist() == [5, 9]
    assert within(ascending, 10, 12).tolist() == []
