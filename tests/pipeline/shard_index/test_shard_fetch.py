"""Shards of an S3 catalog are cached, verified, and fetched again when the copy is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.s3_store import S3Store
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexFile, IndexManifest, generation_uri
from pipeline.shard_index.index_shard import open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher, find_damage
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus
from tests.s3_server import S3Server


@pytest.fixture
def catalog(s3_server: S3Server) -> str:
    return f"{s3_server.uri}/catalog"


@pytest.fixture
def manifest(catalog: str) -> IndexManifest:
    return build_example(catalog, make_corpus(30))


def test_s3_catalog_round_trip(catalog: str, manifest: IndexManifest, tmp_path: Path) -> None:
    store = S3Store()
    assert IndexCatalog(catalog, store).resolve("photos", "live") == manifest
    fetcher = ShardFetcher(catalog, store, tmp_path / "cache")
    shards = [open_shard(manifest, shard.name, fetcher) for shard in manifest.shards]
    assert np.array_equal(np.concatenate([shard.ids for shard in shards]), make_corpus(30).ids)
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 9


def test_a_cached_file_is_not_fetched_again(catalog: str, manifest: IndexManifest, tmp_path: Path) -> None:
    store = S3Store()
    fetcher = ShardFetcher(catalog, store, tmp_path)
    file = manifest.shards[0].codes
    path = fetcher.verified_path(manifest, file)
    store.delete(f"{generation_uri(catalog, 'photos', manifest.generation)}/{file.name}")
    assert fetcher.verified_path(manifest, file) == path
    flip_byte(path)
    with pytest.raises(CorruptFile, match="it is missing"):
        fetcher.verified_path(manifest, file)


def test_a_damaged_copy_is_fetched_again(catalog: str, manifest: IndexManifest, tmp_path: Path) -> None:
    fetcher = ShardFetcher(catalog, S3Store(), tmp_path)
    file = manifest.shards[0].ids
    path = fetcher.verified_path(manifest, file)
    whole = path.read_bytes()
    flip_byte(path)
    assert fetcher.verified_path(manifest, file) == path
    assert path.read_bytes() == whole


def test_a_damaged_object_is_refused_and_not_cached(catalog: str, manifest: IndexManifest, tmp_path: Path) -> None:
    store, file = S3Store(), manifest.shards[2].payload
    uri = f"{generation_uri(catalog, 'photos', manifest.generation)}/{file.name}"
    data = bytearray(store.read(uri))
    data[9] ^= 1
    store.write(uri, bytes(data))
    with pytest.raises(CorruptFile, match=rf"{file.name} is corrupt: its sha256 is .*bitquarry index build"):
        ShardFetcher(catalog, store, tmp_path).verified_path(manifest, file)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_find_damage(tmp_path: Path) -> None:
    path = tmp_path / "file"
    wanted = IndexFile(name="file", size_bytes=2, sha256="0" * 64)
    assert find_damage(path, wanted) == "it is missing"
    path.write_bytes(b"abc")
    assert find_damage(path, wanted) == "it has 3 bytes, the manifest says 2"
    path.write_bytes(b"ab")
    assert str(find_damage(path, wanted)).startswith("its sha256 is fb8e20fc")
