"""`verify_generation`: read every byte of a generation and list what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import CorruptFile
from pipeline.shard_index.deleted_ids import is_among, open_deleted
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """`problems` are sentences, one per damaged shard; none means that every byte is as it was written."""

    index: str
    generation: str
    num_files: int
    num_rows: int
    size_bytes: int
    problems: tuple[str, ...]


def verify_generation(manifest: IndexManifest, fetcher: ShardFetcher) -> VerifyReport:
    """Open every shard as a searcher would, one after the other. Memory: the ids, where shards were added. Raises
    `StorageError` when the store fails."""
    problems, ids = [], []
    for entry in manifest.shards:
        try:
            shard = open_shard(manifest, entry.name, fetcher)
        except CorruptFile as error:
            problems.append(str(error))
        else:
            ids.append(shard.ids)
    if not problems:
        problems = _wrong_ids(manifest, ids, fetcher)
    deleted = () if manifest.deleted is None else (manifest.deleted,)
    return VerifyReport(
        index=manifest.index,
        generation=manifest.generation,
        num_files=sum(len(shard.files) for shard in manifest.shards) + len(deleted),
        num_rows=manifest.num_rows,
        size_bytes=manifest.size_bytes,
        problems=tuple(problems),
    )


def _wrong_ids(manifest: IndexManifest, ids: list[NDArray[np.int64]], fetcher: ShardFetcher) -> list[str]:
    try:
        deleted = open_deleted(manifest, fetcher)
    except CorruptFile as error:
        return [str(error)]
    problems = []
    for shard, stored in zip(manifest.shards, ids, strict=True):
        if (shard.first_id, shard.last_id) != (stored[0], stored[-1]):
            problems.append(f"{shard.name} has ids {stored[0]} to {stored[-1]}; {manifest.remedy}")
        num_deleted = int(is_among(deleted, stored).sum())
        if num_deleted != shard.num_deleted:
            problems.append(
                f"{num_deleted} rows of {shard.name} are deleted, not {shard.num_deleted}; {manifest.remedy}"
            )
    if any(shard.is_delta for shard in manifest.shards):
        twice = np.sort(np.concatenate(ids))
        num_twice = int((np.diff(twice) == 0).sum())
        if num_twice:
            problems.append(f"{num_twice} ids are in two shards; {manifest.remedy}")
    return problems
