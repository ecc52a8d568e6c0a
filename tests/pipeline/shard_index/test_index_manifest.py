"""The manifest round-trips and refuses what does not add up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.sealed_json import seal
from pipeline.shard_index.index_manifest import IndexFile, IndexManifest, SearchFacts, ShardEntry, shard_name


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


def delta(number: int, first_row: int, num_rows: int, first_id: int, last_id: int) -> ShardEntry:
    return replace(shard(number, first_row, num_rows, first_id, last_id), name=f"delta-{number:05d}", is_delta=True)


GROWN = replace(
    MANIFEST,
    shards=(
        replace(MANIFEST.shards[0], home="older", num_deleted=1),
        replace(MANIFEST.shards[1], home="older", num_deleted=1),
        replace(delta(0, 9, 3, 6, 70), search_kind="scan"),
        delta(1, 12, 2, 1, 99),
    ),
    num_rows=12,
    deleted=IndexFile(name="deleted.npy", size_bytes=144, sha256="1" * 64),
    num_deleted=2,
    search=SearchFacts(kind="multi_index"),
)


def test_a_generation_that_grew_round_trips() -> None:
    assert IndexManifest.from_bytes(GROWN.to_bytes(), "m", "photos") == GROWN
    assert GROWN.size_bytes == 4 * 30 + 144
    assert [GROWN.kind_of(shard) for shard in GROWN.shards] == ["multi_index", "multi_index", "scan", "multi_index"]
    assert [GROWN.home_of(shard) for shard in GROWN.shards] == ["older", "older", GROWN.generation, GROWN.generation]
    assert [shard.num_living for shard in GROWN.shards] == [3, 4, 3, 2]


def test_manifests_from_before_deletions_are_read() -> None:
    content = json.loads(MANIFEST.to_bytes())
    del content["sha256_of_this"], content["deleted"], content["num_deleted"]
    for entry in content["shards"]:
        for name in ("home", "is_delta", "search_kind", "num_deleted"):
            del entry[name]
    assert IndexManifest.from_bytes(seal(content), "m", "photos") == MANIFEST


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (replace(GROWN, num_rows=14), "shards hold 12 rows, the index 14"),
        (replace(GROWN, num_deleted=1), "2 rows of shards are deleted, 1 of the index"),
        (replace(GROWN, deleted=None), "2 rows of shards are deleted"),
        (replace(GROWN, shards=GROWN.shards[::-1]), "do not follow the shard before"),
        (replace(GROWN, shards=(*GROWN.shards, replace(GROWN.shards[3], first_row=14))), "the same name"),
        (replace(GROWN, shards=(*GROWN.shards[:3], shard(1, 12, 2, 100, 110))), "the same name|do not follow"),
        (
            replace(GROWN, shards=(replace(GROWN.shards[0], num_deleted=5), *GROWN.shards[1:])),
            "5 of the 4 rows of shard-00000-of-00002 are deleted",
        ),
    ],
)
def test_refuses_a_growth_that_does_not_add_up(changed: IndexManifest, reason: str) -> None:
    with pytest.raises(CorruptFile, match=reason):
        IndexManifest.from_bytes(changed.to_bytes(), "m", "photos")
