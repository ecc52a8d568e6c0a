"""Every shard is placed once, and bytes spread evenly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.shard_index.index_manifest import IndexFile, ShardEntry
from pipeline.shard_index.shard_placement import place_shards


def entry(number: int, size_bytes: int) -> ShardEntry:
    empty = IndexFile(name="x", size_bytes=0, sha256="")
    codes = replace(empty, size_bytes=size_bytes)
    return ShardEntry(
        name=f"s{number}", first_row=0, num_rows=1, first_id=0, last_id=0, codes=codes, ids=empty, payload=empty
    )


@given(sizes=st.lists(st.integers(1, 1000), min_size=1, max_size=20), num_searchers=st.integers(1, 25))
def test_places_every_shard_once_within_one_shard_of_even(sizes: list[int], num_searchers: int) -> None:
    shards = [entry(number, size) for number, size in enumerate(sizes)]
    placement = place_shards(shards, num_searchers)
    assert sorted(name for names in placement for name in names) == sorted(shard.name for shard in shards)
    assert len(placement) == min(num_searchers, len(sizes))
    assert all(placement)
    loads = [sum(sizes[int(name[1:])] for name in names) for names in placement]
    assert max(loads) - min(loads) <= max(sizes)
    assert placement == place_shards(shards[::-1], num_searchers)


def test_refuses_no_searchers() -> None:
    with pytest.raises(UsageError, match="num_searchers = 0"):
        place_shards([entry(0, 1)], 0)
