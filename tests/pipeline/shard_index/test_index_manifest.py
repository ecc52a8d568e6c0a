"""The manifest round-trips and refuses what does not add up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.sealed_json import seal
from pipeline.shard_index.index_manifest import IndexFile, IndexManifest, ShardEntry, shard_name


def shard(number: int, first_row: int, num_rows: int, first_id: int, last_id: int) -> ShardEntry:
    name = shard_name(number, 2)
    codes, ids, payload = (
        IndexFile(name=f"{name}.{kind}", size_bytes=10, sha256="0" * 64) for kind in ("codes", "ids", "payload")
    )
    return ShardEntry(
        name=name,
        first_row=first_row,
        num_rows=num_rows,
        first_id=first_id,
        last_id=last_id,
        codes=codes,
        ids=ids,
        payload=payload,
    )


MANIFEST = IndexManifest(
    index="photos",
    generation="20261120T000000000000Z-v000004-abcd",
    collection="pictures",
    table_version=4,
    model_id="itq32@1",
    model_fingerprint="f" * 64,
    num_bits=32,
    num_rows=9,
    created_at="2026-11-20T00:00:00+00:00",
    builder="bitquarry 0.1.0",
    shards=(shard(0, 0, 4, 5, 70), shard(1, 4, 5, 71, 71)),
)


def test_round_trip() -> None:
    assert IndexManifest.from_bytes(MANIFEST.to_bytes(), "m", "photos") == MANIFEST
    assert MANIFEST.size_bytes == 60
    assert MANIFEST.shard("shard-00001-of-00002").first_row == 4


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (replace(MANIFEST, num_rows=8), "shards hold 9 rows, the index 8"),
        (replace(MANIFEST, shards=(shard(0, 0, 4, 5, 70), shard(1, 5, 5, 71, 72))), "shard-00001-of-00002"),
        (replace(MANIFEST, shards=(shard(0, 0, 4, 5, 71), shard(1, 4, 5, 71, 72))), "shard-00001-of-00002"),
        (replace(MANIFEST, shards=(shard(0, 0, 0, 5, 70), shard(1, 0, 9, 71, 72))), "shard-00000-of-00002"),
    ],
)
def test_refuses_rows_that_do_not_add_up(changed: IndexManifest, reason: str) -> None:
    with pytest.raises(CorruptFile, match=reason):
        IndexManifest.from_bytes(changed.to_bytes(), "m", "photos")


@pytest.mark.parametrize("content", [{}, {"shards": [], "surprise": 1}, {"shards": [{"codes": 1}]}])
def test_refuses_missing_and_unknown_fields(content: dict[str, object]) -> None:
    with pytest.raises(
        CorruptFile, match=r"m is corrupt: fields.*bitquarry index build --collection \w+ --name photos"
    ):
        IndexManifest.from_bytes(seal({"format_version": 1, **content}), "m", "photos")
