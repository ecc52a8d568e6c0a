"""Names that are known, names that are not, and generations that were never committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import CorruptFile, UnknownName
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.shard_index.index_examples import build_example, make_corpus


@pytest.fixture
def indexes(tmp_path: Path) -> IndexCatalog:
    return IndexCatalog(str(tmp_path), LocalStore())


def test_lists_committed_generations_only(tmp_path: Path, indexes: IndexCatalog) -> None:
    assert indexes.index_names() == ()
    first, second = (build_example(tmp_path, make_corpus(9)) for _ in range(2))
    unfinished = tmp_path / "indexes" / "other" / "20990101T000000000000Z-v000001-ffff"
    unfinished.mkdir(parents=True)
    (unfinished / "shard-00000-of-00001.codes.npy").write_bytes(b"half")
    assert indexes.index_names() == ("photos",)
    assert indexes.generations("photos") == (first.generation, second.generation)
    assert indexes.generations("other") == ()
    assert indexes.resolve("photos", "live") == second
    assert {name: record.generation for name, record in indexes.aliases("photos").items()} == {
        "live": second.generation
    }


def test_rollback_answers_from_the_older_generation(tmp_path: Path, indexes: IndexCatalog) -> None:
    first, second = (build_example(tmp_path, make_corpus(9)) for _ in range(2))
    indexes.rollback_alias("photos", "live")
    assert indexes.resolve("photos", "live") == first
    indexes.point_alias("photos", "live", second.generation)
    shutil.rmtree(tmp_path / "indexes" / "photos" / first.generation)
    with pytest.raises(UnknownName, match="no generation named"):
        indexes.rollback_alias("photos", "live")
    assert indexes.resolve("photos", "live") == second


def test_unknown_names(tmp_path: Path, indexes: IndexCatalog) -> None:
    with pytest.raises(UnknownName, match="no index named 'photos'; there is none yet"):
        indexes.resolve("photos", "live")
    manifest = build_example(tmp_path, make_corpus(9))
    with pytest.raises(UnknownName, match="no index named 'fotos'; known: photos"):
        indexes.resolve("fotos", "live")
    with pytest.raises(UnknownName, match="no alias named 'next of index photos'; known: live"):
        indexes.resolve("photos", "next")
    with pytest.raises(UnknownName, match=f"known: {manifest.generation}"):
        indexes.point_alias("photos", "live", "20990101")


def test_a_manifest_of_another_generation_is_refused(tmp_path: Path, indexes: IndexCatalog) -> None:
    manifest = build_example(tmp_path, make_corpus(9))
    home = tmp_path / "indexes" / "photos"
    shutil.copytree(home / manifest.generation, home / "copy")
    with pytest.raises(CorruptFile, match=f"it belongs to photos/{manifest.generation}"):
        indexes.manifest("photos", "copy")
