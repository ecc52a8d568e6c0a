"""Verification lists every damaged shard, not only the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_verify import verify_generation
from pipeline.shard_index.shard_fetch import ShardFetcher
from tests.pipeline.shard_index.changed_examples import Growth, fetcher_of, grow
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus


def test_lists_every_damaged_shard(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, make_corpus(30))
    fetcher = ShardFetcher(str(tmp_path), LocalStore())
    clean = verify_generation(manifest, fetcher)
    assert clean.problems == ()
    assert (clean.num_files, clean.num_rows, clean.size_bytes) == (9, 30, manifest.size_bytes)
    home = tmp_path / "indexes" / "photos" / manifest.generation
    flip_byte(home / manifest.shards[0].payload.name)
    (home / manifest.shards[2].ids.name).unlink()
    problems = verify_generation(manifest, fetcher).problems
    assert len(problems) == 2
    assert "shard-00000-of-00003.payload.arrow" in problems[0]
    assert "shard-00002-of-00003.ids.npy is corrupt: it is missing" in problems[1]


def test_a_generation_of_changes_is_verified_with_what_it_shares(tmp_path: Path) -> None:
    corpus = make_corpus(30)
    growth = Growth(part=[row % 2 for row in range(30)], dead=[row % 7 == 0 for row in range(30)])
    manifest = grow(tmp_path, corpus, growth)
    fetcher = fetcher_of(tmp_path)
    clean = verify_generation(manifest, fetcher)
    assert (clean.problems, clean.num_files, clean.num_rows) == ((), 10, 25)
    assert clean.size_bytes == manifest.size_bytes
    first, *others = manifest.shards
    wrong = replace(first, num_deleted=first.num_deleted + 1, last_id=first.last_id + 1)
    problems = verify_generation(replace(manifest, shards=(wrong, *others)), fetcher).problems
    assert [problem.split(";")[0].split(" has ids")[0] for problem in problems] == [
        first.name,
        f"{first.num_deleted} rows of {first.name} are deleted, not {wrong.num_deleted}",
    ]
    again = replace(others[-1], name="delta-00001")
    problems = verify_generation(replace(manifest, shards=(*manifest.shards, again)), fetcher).problems
    assert "15 ids are in two shards" in problems[-1]
    assert manifest.shards[0].home is not None
    flip_byte(tmp_path / "indexes" / "photos" / manifest.generation / "deleted.npy")
    assert "deleted.npy is corrupt" in verify_generation(manifest, fetcher).problems[0]
    flip_byte(tmp_path / "indexes" / "photos" / manifest.shards[0].home / manifest.shards[0].codes.name)
    assert manifest.shards[0].home in verify_generation(manifest, fetcher).problems[0]
