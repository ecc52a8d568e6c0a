"""Look-ups by position, id and key, and refusal of every damaged file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index import shard_files
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus

KINDS = ("codes.npy", "ids.npy", "payload.arrow")


def file_of(catalog: Path, manifest: IndexManifest, kind: str) -> Path:
    return catalog / "indexes" / "photos" / manifest.generation / f"{manifest.shards[1].name}.{kind}"


def test_rows_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_files, "PAYLOAD_BATCH_ROWS", 4)
    corpus = make_corpus(30)
    manifest = build_example(tmp_path, corpus, num_shards=2)
    shard = open_shard(manifest, manifest.shards[1].name, ShardFetcher(str(tmp_path), LocalStore()))
    assert shard.positions_of(corpus.ids[[15, 0, 29, 20]]).tolist() == [0, -1, 14, 5]
    asked = np.array([14, 0, 5, 5, 13])
    assert shard.payload_rows(asked).column("key").to_pylist() == [corpus.key(15 + row) for row in asked]
    assert shard.payload_rows(asked[:0]).num_rows == 0
    assert shard.ids_of_key(corpus.key(28)) == [corpus.ids[28]]
    assert shard.ids_of_key(corpus.key(2)) == []


def test_codes_and_ids_are_mapped_and_read_only(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, make_corpus(30))
    shard = open_shard(manifest, manifest.shards[0].name, ShardFetcher(str(tmp_path), LocalStore()))
    for array in (shard.ids, shard.codes.packed):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "missing"])
def test_damage_is_named_and_refused(tmp_path: Path, kind: str, damage: str) -> None:
    manifest = build_example(tmp_path, make_corpus(30))
    path = file_of(tmp_path, manifest, kind)
    if damage == "flip":
        flip_byte(path, position=path.stat().st_size // 2)
    elif damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-3] if damage == "truncate" else b"")
    remedy = "bitquarry index build --collection pictures --name photos"
    with pytest.raises(CorruptFile, match=rf"{path.name} is corrupt: .*; .*{remedy}"):
        open_shard(manifest, manifest.shards[1].name, ShardFetcher(str(tmp_path), LocalStore()))


def test_a_clean_shard_beside_a_damaged_one_opens(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, make_corpus(30))
    flip_byte(file_of(tmp_path, manifest, "codes.npy"))
    assert open_shard(manifest, manifest.shards[0].name, ShardFetcher(str(tmp_path), LocalStore())).num_rows == 10
