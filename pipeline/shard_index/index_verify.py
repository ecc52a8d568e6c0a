"""`verify_generation`: read every byte of a generation and list what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import CorruptFile
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
    """Open every shard as a searcher would, one after the other. Raises `StorageError` when the store fails."""
    problems = []
    for shard in manifest.shards:
        try:
            open_shard(manifest, shard.name, fetcher)
        except CorruptFile as error:
            problems.append(str(error))
    return VerifyReport(
        index=manifest.index,
        generation=manifest.generation,
        num_files=sum(len(shard.files) for shard in manifest.shards),
        num_rows=manifest.num_rows,
        size_bytes=manifest.size_bytes,
        problems=tuple(problems),
    )
