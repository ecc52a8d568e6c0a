"""From the real code table to a live generation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import CorruptFile, UsageError
from pipeline.jobs.build_index import BuildSettings, build_index
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PictureCatalog:
    return make_picture_catalog(str(tmp_path_factory.mktemp("catalog")))


def settings_for(pictures: PictureCatalog, index: str) -> BuildSettings:
    return BuildSettings(catalog=pictures.catalog, collection="pictures", index=index, num_shards=3)


def test_builds_and_makes_live(pictures: PictureCatalog) -> None:
    manifest = build_index(settings_for(pictures, "first"))
    assert IndexCatalog(pictures.catalog, LocalStore()).resolve("first", "live") == manifest
    assert (manifest.num_rows, manifest.num_bits, len(manifest.shards)) == (20, 12, 3)
    assert (manifest.model_id, manifest.model_fingerprint) == ("lsh12@1", pictures.model.fingerprint)
    assert manifest.table_version == pictures.table.snapshot().version
    names = tuple(shard.name for shard in manifest.shards)
    spec = SearcherSpec(catalog=pictures.catalog, index="first", generation=manifest.generation, shard_names=names)
    codes, ids, keys = pictures.rows()
    searcher = ShardSearcher.open(spec)
    assert np.array_equal(searcher.codes_of(ids).packed, codes.packed)
    payload = searcher.payload(ids)
    assert payload.column("key").to_pylist() == keys
    assert set(payload.column("label").to_pylist()) == {"class 0", "class 1", "class 2"}


def test_aliases_are_left_alone_when_told_so(pictures: PictureCatalog) -> None:
    indexes = IndexCatalog(pictures.catalog, LocalStore())
    live = build_index(settings_for(pictures, "second"))
    build_index(replace(settings_for(pictures, "second"), alias=None))
    other = build_index(replace(settings_for(pictures, "second"), alias="next"))
    assert indexes.resolve("second", "live") == live
    assert indexes.resolve("second", "next") == other
    assert len(indexes.generations("second")) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"collection": "nope"}, "there is no collection at .*/collections/nope"),
        ({"collection": "../models"}, "collection name"),
        ({"index": "a/b"}, "index name"),
        ({"alias": "a/b"}, "alias name"),
        ({"num_shards": 0}, "num_shards = 0"),
        ({"table_version": 0}, "collection pictures has no rows at version 0; encode something into it first"),
    ],
)
def test_refuses(pictures: PictureCatalog, change: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        build_index(replace(settings_for(pictures, "third"), **change))  # type: ignore[arg-type]
    assert IndexCatalog(pictures.catalog, LocalStore()).generations("third") == ()


def test_a_damaged_code_file_leaves_the_old_generation_live(tmp_path: Path) -> None:
    pictures = make_picture_catalog(str(tmp_path))
    live = build_index(settings_for(pictures, "photos"))
    shard = pictures.table.snapshot().shards[2]
    path = Path(pictures.table.shard_uri(shard))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CorruptFile, match=shard.name.file_name):
        build_index(settings_for(pictures, "photos"))
    indexes = IndexCatalog(pictures.catalog, LocalStore())
    assert indexes.generations("photos") == (live.generation,)
    assert indexes.resolve("photos", "live") == live
