"""`LogState`: what one Delta table holds at one version, in memory: one small record per file, nothing per row."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.code_shards.shard_name import ShardName


@dataclass(frozen=True, kw_only=True)
class CommittedShard:
    """One file of the table. `min_id` and `max_id` are None for an empty shard and for rejects."""

    name: ShardName
    size_bytes: int
    num_rows: int
    min_id: int | None = None
    max_id: int | None = None

    @property
    def ids(self) -> range:
        """The ids of its rows, which have no gaps; none for rejects."""
        return range(0) if self.min_id is None or self.max_id is None else range(self.min_id, self.max_id + 1)


@dataclass
class LogState:
    """`shards` by file name, and the two look-ups that a commit needs. Changed by its `FencedLog` only."""

    version: int
    transaction: int
    shards: dict[str, CommittedShard] = field(default_factory=dict)
    by_task: dict[tuple[str, str], str] = field(default_factory=dict)
    prefixes: set[int] = field(default_factory=set)

    def add(self, shard: CommittedShard) -> None:
        self.shards[shard.name.file_name] = shard
        self.by_task[shard.name.task] = shard.name.file_name
        self.prefixes.add(shard.name.prefix)

    def remove(self, file_name: str) -> None:
        shard = self.shards.pop(file_name)
        if self.by_task.get(shard.name.task) == file_name:
            del self.by_task[shard.name.task]
        self.prefixes.discard(shard.name.prefix)


@dataclass(frozen=True, kw_only=True)
class TableSnapshot:
    """The table at one version. `shards` are in order of their id prefix, so ids ascend from first to last row."""

    version: int
    shards: tuple[CommittedShard, ...]

    @classmethod
    def of(cls, state: LogState) -> TableSnapshot:
        shards = sorted(state.shards.values(), key=lambda shard: (shard.name.prefix, shard.name))
        return cls(version=state.version, shards=tuple(shards))

    @property
    def num_rows(self) -> int:
        return sum(shard.num_rows for shard in self.shards)

    def tasks_of(self, source_id: str) -> dict[str, CommittedShard]:
        """The committed tasks of one source, by task id."""
        return {shard.name.task_id: shard for shard in self.shards if shard.name.source_id == source_id}

    def prefixes(self) -> frozenset[int]:
        """Id prefixes that are taken, for `choose_salt`."""
        return frozenset(shard.name.prefix for shard in self.shards)
