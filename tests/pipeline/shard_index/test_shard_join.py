from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import CorruptFile
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_join import ShardJoin, join_shards
from tests.operators.search.near_duplicates import as_pairs, pairs_by_force
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus

CORPUS = make_corpus(60, num_bits=12)


def joining(catalog: Path, manifest: IndexManifest, left: int, right: int) -> ShardJoin:
    names = [shard.name for shard in manifest.shards]
    return ShardJoin(
        catalog=str(catalog),
        left=manifest,
        left_shard=names[left],
        right=manifest,
        right_shard=names[right],
        radius=3,
    )


def test_rows_are_those_of_the_index(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, CORPUS)
    shards, found = range(len(manifest.shards)), set()
    for left in shards:
        for right in shards[left:]:
            pairs = as_pairs(join_shards(joining(tmp_path, manifest, left, right)))
            assert pairs == sorted(pairs)
            found |= set(pairs)
    expected = set(pairs_by_force(CORPUS.codes, None, 3))
    assert found <= expected
    of_different_codes = {(code(left), code(right), distance) for left, right, distance in expected if distance}
    assert {(code(left), code(right), distance) for left, right, distance in found if distance} == of_different_codes


def code(row: int) -> bytes:
    return bytes(CORPUS.codes.packed[row])


def test_a_shard_with_itself_is_told_from_one_of_another_generation(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, CORPUS)
    assert joining(tmp_path, manifest, 1, 1).is_within_one
    assert not joining(tmp_path, manifest, 1, 2).is_within_one
    other = replace(joining(tmp_path, manifest, 1, 1), right=replace(manifest, generation="g"))
    assert not other.is_within_one


def test_a_damaged_shard_is_refused(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, CORPUS)
    flip_byte(tmp_path / "indexes" / "photos" / manifest.generation / manifest.shards[2].codes.name)
    join_shards(joining(tmp_path, manifest, 0, 1))
    for _ in range(2):
        with pytest.raises(CorruptFile, match=r"shard-00002-of-00003\.codes\.npy"):
            join_shards(joining(tmp_path, manifest, 0, 2))
