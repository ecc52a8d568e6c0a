"""`EncodedTask`: what an encoder hands to the committer: files already stored, not yet part of the table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.code_shards.shard_name import ShardName
from pipeline.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ShardFile:
    """One stored Parquet file. `name` is the file name; `sha256` that of its bytes (64 hex digits)."""

    name: str
    size_bytes: int
    sha256: str
    num_rows: int


@dataclass(frozen=True, kw_only=True)
class EncodedTask:
    """One attempt at one task. `num_rows + num_rejects == num_items`, or `UsageError`: nothing vanishes.

    `stage_seconds` and `num_bytes_read` are what the attempt cost, for the run report.
    """

    source_id: str
    task_id: str
    salt: int
    attempt: str
    code_file: ShardFile
    rejects_file: ShardFile | None
    num_items: int
    num_rows: int
    num_rejects: int
    rejects_by_reason: Mapping[str, int] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    num_bytes_read: int = 0

    def __post_init__(self) -> None:
        if self.num_rows + self.num_rejects != self.num_items:
            raise UsageError(
                f"task {self.task_id}: {self.num_rows} rows + {self.num_rejects} rejects, "
                f"expected {self.num_items} items"
            )

    @property
    def shard_name(self) -> ShardName:
        return ShardName.parse(self.code_file.name)
