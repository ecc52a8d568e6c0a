"""Rebuilding the corpus: the same packages give the shipped rows again."""

from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceNotFound
from pipeline.sample_corpus.rebuild import build_table, category_clips, write_corpus
from pipeline.sample_corpus.sample_corpus import sample_corpus_path

_CATEGORY = "stickmen"


@pytest.mark.data
@pytest.mark.usefixtures("openclipart_dir")
def test_a_category_is_rebuilt_as_it_was_shipped() -> None:
    shipped = {row["key"]: row for row in pq.read_table(sample_corpus_path()).to_pylist()}
    clips = category_clips(_CATEGORY)
    assert [clip.key for clip in clips] == sorted(key for key in shipped if shipped[key]["category"] == _CATEGORY)
    for clip in clips:
        expected = shipped[clip.key]
        assert (clip.keywords, clip.category) == (expected["keywords"], expected["category"])
        assert clip.image == expected["image"], f"{clip.key}: other bytes; was Pillow upgraded? then rebuild the corpus"


@pytest.mark.data
@pytest.mark.usefixtures("openclipart_dir")
def test_fewer_items_are_a_subset_and_repeat() -> None:
    few = category_clips(_CATEGORY, num_items=5)
    assert [asdict(clip) for clip in few] == [asdict(clip) for clip in category_clips(_CATEGORY, num_items=5)]
    assert {clip.key for clip in few} < {clip.key for clip in category_clips(_CATEGORY, num_items=20)}


def test_writing_a_table_twice_gives_the_same_file(tmp_path: Path) -> None:
    table = pq.read_table(sample_corpus_path())
    for name in ("first.parquet", "second.parquet"):
        write_corpus(table, tmp_path / name)
    assert (tmp_path / "first.parquet").read_bytes() == (tmp_path / "second.parquet").read_bytes()


def test_missing_packages_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="install the Debian packages openclipart-png"):
        build_table(tmp_path)
