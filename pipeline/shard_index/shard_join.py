"""`join_shards`: the near pairs of two shards, or within one, as places in the shards of their indexes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.search.near_pairs import near_pairs, near_pairs_between
from operators.search.pair_order import PairArrays
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.deleted_ids import is_among, open_deleted
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import open_shard
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
    """Places in the shards of their generations (counted from the first row of the first shard), and distances, of the
    pairs of different codes within the radius, each code represented by its first row in the shard that is not deleted.
    Opens and verifies the shards.

    Raises `CorruptFile`, `StorageError`, `InvalidSetting` and `ShapeMismatch`.
    """
    left = _open_side(task.catalog, task.left, task.left_shard, task.cache_dir)
    if task.is_within_one:
        right = left
        pairs = near_pairs(left.codes, radius=task.radius)
    else:
        right = _opened(task.catalog, task.right, task.right_shard, task.cache_dir)
        pairs = near_pairs_between(left.codes, right.codes, radius=task.radius)
    return left.places(pairs.left), right.places(pairs.right), pairs.distances


@dataclass(frozen=True, eq=False)
class _Side:
    """The codes of a shard that are not deleted. `rows`: which of the shard's they are, None for all."""

    codes: BinaryCodes
    first_row: int
    rows: NDArray[np.int64] | None

    def places(self, found: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.first_row + (found if self.rows is None else self.rows[found])


@lru_cache(maxsize=32)
def _opened(catalog: str, manifest: IndexManifest, name: str, cache_dir: Path | None) -> _Side:
    """Each shard is joined with every other: to verify it each time would take longer than many a join. What is kept is
    memory-mapped and immutable."""
    return _open_side(catalog, manifest, name, cache_dir)


def _open_side(catalog: str, manifest: IndexManifest, name: str, cache_dir: Path | None) -> _Side:
    fetcher = ShardFetcher(catalog, open_store(catalog), cache_dir)
    shard = open_shard(manifest, name, fetcher)
    if not shard.entry.num_deleted:
        return _Side(shard.codes, shard.entry.first_row, None)
    rows = np.flatnonzero(~is_among(shard.ids, open_deleted(manifest, fetcher)))
    return _Side(shard.codes[rows], shard.entry.first_row, rows)
