"""`join_shards`: the near pairs of two shards, or within one, as positions in their indexes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from operators.search.near_pairs import near_pairs, near_pairs_between
from operators.search.pair_order import PairArrays
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import IndexShard, open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher


@dataclass(frozen=True, kw_only=True)
class ShardJoin:
    """Which two shards are joined; a shard of a generation with itself where both are the same. It can be done on any
    machine that reads the catalog."""

    catalog: str
    left: IndexManifest
    left_shard: str
    right: IndexManifest
    right_shard: str
    radius: int
    cache_dir: Path | None = None

    @property
    def is_within_one(self) -> bool:
        return (self.left.index, self.left.generation, self.left_shard) == (
            self.right.index,
            self.right.generation,
            self.right_shard,
        )


def join_shards(task: ShardJoin) -> PairArrays:
    """Left and right rows of their generations, and distances, of the pairs of different codes within the radius, each
    code represented by its first row in the shard. Opens and verifies the shards.

    Raises `CorruptFile`, `StorageError`, `InvalidSetting` and `ShapeMismatch`.
    """
    fetcher = ShardFetcher(task.catalog, open_store(task.catalog), task.cache_dir)
    left = open_shard(task.left, task.left_shard, fetcher)
    if task.is_within_one:
        right = left
        pairs = near_pairs(left.codes, radius=task.radius)
    else:
        right = _opened(task.catalog, task.right, task.right_shard, task.cache_dir)
        pairs = near_pairs_between(left.codes, right.codes, radius=task.radius)
    return pairs.left + left.entry.first_row, pairs.right + right.entry.first_row, pairs.distances


@lru_cache(maxsize=32)
def _opened(catalog: str, manifest: IndexManifest, name: str, cache_dir: Path | None) -> IndexShard:
    """Each shard is joined with every other: to verify it each time would take longer than many a join. What is kept is
    memory-mapped and immutable."""
    return open_shard(manifest, name, ShardFetcher(catalog, open_store(catalog), cache_dir))
