"""Generations in threads: ready when open, and apart from one another."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.errors import CorruptFile, ModelMismatch
from pipeline.jobs.generation_opening import OpenedIndex
from pipeline.jobs.local_generations import LocalGenerations
from pipeline.jobs.synthetic_index import write_synthetic_index
from pipeline.sample_corpus.clustered_codes import clustered_codes
from pipeline.settings import SearchSettings
from pipeline.shard_index.index_manifest import IndexManifest
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus

CODES = clustered_codes(300, 64, seed=1)


def write(catalog: Path, first_id: int = 0) -> IndexManifest:
    return write_synthetic_index(str(catalog), "codes", CODES, num_shards=3, first_id=first_id)


def generations_of(catalog: Path, index: str = "codes") -> LocalGenerations:
    return LocalGenerations(OpenedIndex(str(catalog), index, SearchSettings(), 10**6))


def test_two_generations_answer_side_by_side(tmp_path: Path) -> None:
    first, second = write(tmp_path), write(tmp_path, first_id=1000)
    generations = generations_of(tmp_path)
    with ExitStack() as closing:
        sessions = [generations.open(manifest.generation, closing) for manifest in (first, second)]
        for row in (0, 150, 299):
            for session, first_id in zip(sessions, (0, 1000), strict=True):
                hit = session.query_id(first_id + row, k=1, exclude_self=False).neighbors[0][0]
                assert hit.distance == 0
                assert session.router.code_of(hit.id).to_hex() == CODES[slice(row, row + 1)].to_hex()
                assert hit.key == str(hit.id)
                assert 0 <= hit.id - first_id < len(CODES)
    generations.close()


def test_what_does_not_open_says_why(tmp_path: Path) -> None:
    manifest = write(tmp_path)
    (codes, *_) = sorted((tmp_path / "indexes" / "codes" / manifest.generation).rglob("*codes*"))
    flip_byte(codes)
    with ExitStack() as closing, pytest.raises(CorruptFile, match="is corrupt"):
        generations_of(tmp_path).open(manifest.generation, closing)
    # An index whose model is another than the catalog's: its pictures would get codes that mean nothing.
    write_synthetic_index(str(tmp_path / "other"), "codes", clustered_codes(10, 64, seed=2), num_shards=1)
    (tmp_path / "other" / "models" / "synthetic").rename(tmp_path / "other" / "models" / "itq12")
    foreign = build_example(tmp_path / "other", make_corpus(), num_shards=1)
    with ExitStack() as closing, pytest.raises((ModelMismatch, CorruptFile)):
        generations_of(tmp_path / "other", "photos").open(foreign.generation, closing)
