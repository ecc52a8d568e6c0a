"""Which searcher holds which shard: a pure function."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import UsageError
from pipeline.shard_index.index_manifest import ShardEntry


def place_shards(shards: Iterable[ShardEntry], num_searchers: int) -> list[tuple[str, ...]]:
    """Names of the shards of each searcher: the largest shard first, always to the searcher with the fewest bytes.

    Every shard is placed once; more searchers than shards are left out. Raises `UsageError` for fewer than 1.
    """
    if num_searchers < 1:
        raise UsageError(f"num_searchers = {num_searchers}: expected at least 1")
    by_size = sorted(shards, key=lambda shard: (-shard.size_bytes, shard.name))
    held: list[list[ShardEntry]] = [[] for _ in range(min(num_searchers, len(by_size)))]
    for shard in by_size:
        least = min(held, key=lambda owned: sum(other.size_bytes for other in owned))
        least.append(shard)
    return [tuple(sorted(shard.name for shard in owned)) for owned in held]
