"""Verification lists every damaged shard, not only the first."""

from __future__ import annotations

from pathlib import Path

from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_verify import verify_generation
from pipeline.shard_index.shard_fetch import ShardFetcher
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
