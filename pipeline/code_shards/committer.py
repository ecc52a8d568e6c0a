"""`Committer`: the one place where encoded tasks become part of a collection, each once.

Commits go to two tables in a fixed order: the codes table is *read*, then rejects are committed, then codes, fenced by
that read. A task counts once its code shard is in the codes table; rejects of attempts that never got there are
leftovers, which `settle` removes. `settle` first fences the codes table, so that a live committer whose rejects it
takes away has to plan again, and puts them back.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.delta_log import DeltaLog, LogChange
from pipeline.code_shards.encoded_task import EncodedTask, ShardFile
from pipeline.code_shards.fenced_log import FencedLog, RetryLimits
from pipeline.code_shards.item_ids import NUM_ROW_BITS
from pipeline.code_shards.log_state import CommittedShard, LogState, TableSnapshot
from pipeline.code_shards.shard_name import ShardName
from pipeline.errors import CommitConflict, UsageError

_MAX_SETTLE_ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class CommitSettings:
    """`group_tasks`: tasks per commit."""

    group_tasks: int = 64
    retry_limits: RetryLimits = field(default_factory=RetryLimits)

    def __post_init__(self) -> None:
        if self.group_tasks < 1:
            raise UsageError(f"group_tasks = {self.group_tasks}: expected at least 1")


@dataclass(frozen=True, kw_only=True)
class CommitOutcome:
    """What became of tasks: `committed`; `already_committed` by somebody else; `prefix_taken`: to be encoded again with
    another salt, since another task holds their ids."""

    committed: tuple[EncodedTask, ...] = ()
    already_committed: tuple[EncodedTask, ...] = ()
    prefix_taken: tuple[EncodedTask, ...] = ()

    def __add__(self, other: CommitOutcome) -> CommitOutcome:
        return CommitOutcome(
            committed=self.committed + other.committed,
            already_committed=self.already_committed + other.already_committed,
            prefix_taken=self.prefix_taken + other.prefix_taken,
        )


class Committer:
    """Commits tasks to one collection in groups. One per job, used from one thread; other jobs may commit meanwhile.

    Every method that commits raises `CommitConflict` and `CommitStateUnknown`; tasks of a failed group stay pending.
    """

    def __init__(self, table: CodeTable, settings: CommitSettings | None = None) -> None:
        self._settings = settings or CommitSettings()
        self._codes = FencedLog(self._open_log(table.codes_uri), self._settings.retry_limits)
        self._rejects = FencedLog(self._open_log(table.rejects_uri), self._settings.retry_limits)
        self._pending: list[EncodedTask] = []

    @property
    def num_conflicts(self) -> int:
        """Commits that had to be planned again because another writer was first."""
        return self._codes.num_conflicts + self._rejects.num_conflicts

    def snapshot(self) -> TableSnapshot:
        """The newest version this committer knows of."""
        return TableSnapshot.of(self._codes.state)

    def add(self, task: EncodedTask) -> CommitOutcome:
        """Take a task. Commits the tasks before it when they fill a group, so `finish` always has the last ones."""
        outcome = self.flush() if len(self._pending) >= self._settings.group_tasks else CommitOutcome()
        self._pending.append(task)
        return outcome

    def flush(self) -> CommitOutcome:
        """Commit what is pending now."""
        return self._commit(frozenset())

    def finish(self, superseded: Collection[ShardName] = ()) -> CommitOutcome:
        """Commit what is pending and, in the same commit, remove `superseded` shards; then `settle`."""
        outcome = self._commit(frozenset(name.file_name for name in superseded))
        self.settle()
        return outcome

    def settle(self) -> int:
        """Remove rejects whose attempt is not committed (of a killed job, say). Returns the number of files removed."""
        for _ in range(_MAX_SETTLE_ROUNDS):
            stale = self._fence_stale_rejects()
            if not stale:
                return 0
            if self._remove_rejects(stale):
                return len(stale)
        raise CommitConflict("rejects kept changing while leftovers were removed; run the command again")

    def _open_log(self, uri: str) -> DeltaLog:
        return DeltaLog(uri)

    def _commit(self, superseded: frozenset[str]) -> CommitOutcome:
        group = tuple(self._pending)
        outcome = CommitOutcome()

        def plan(codes: LogState) -> LogChange | None:
            nonlocal outcome
            outcome, missing = self._judge(codes, group)
            removes = tuple(sorted(superseded & codes.shards.keys()))
            if not missing and not removes:
                return None
            self._publish_rejects(missing)
            adds = tuple(_code_shard(task) for task in missing)
            return LogChange(commit_id=uuid.uuid4().hex, adds=adds, removes=removes)

        self._codes.update(plan)
        self._pending = self._pending[len(group) :]
        return outcome

    def _judge(self, codes: LogState, group: Sequence[EncodedTask]) -> tuple[CommitOutcome, list[EncodedTask]]:
        """What the group comes to if its `missing` tasks (second value) are committed on top of `codes`. A shard found
        under our own file name is the read-back of a commit whose reply we never saw."""
        committed: list[EncodedTask] = []
        already: list[EncodedTask] = []
        taken: list[EncodedTask] = []
        missing: dict[tuple[str, str], EncodedTask] = {}
        prefixes: set[int] = set()
        for task in group:
            name = task.shard_name
            if name.file_name in codes.shards:
                committed.append(task)
            elif name.task in codes.by_task or name.task in missing:
                already.append(task)
            elif name.prefix in codes.prefixes or name.prefix in prefixes:
                taken.append(task)
            else:
                missing[name.task] = task
                prefixes.add(name.prefix)
                committed.append(task)
        outcome = CommitOutcome(committed=tuple(committed), already_committed=tuple(already), prefix_taken=tuple(taken))
        return outcome, list(missing.values())

    def _publish_rejects(self, tasks: Sequence[EncodedTask]) -> None:
        """Commit the tasks' rejects. On a second try nothing is missing, and the empty commit still tells a `settle`
        that is under way to look again."""
        files = [task.rejects_file for task in tasks if task.rejects_file is not None]

        def plan(rejects: LogState) -> LogChange:
            adds = tuple(_rejects_shard(file) for file in files if file.name not in rejects.shards)
            return LogChange(commit_id=uuid.uuid4().hex, adds=adds)

        if files:
            self._rejects.update(plan)

    def _fence_stale_rejects(self) -> tuple[str, ...]:
        """Names of rejects whose attempt is not committed, after a commit to the codes table that makes every committer
        with such an attempt plan again."""
        stale: tuple[str, ...] = ()

        def plan(codes: LogState) -> LogChange | None:
            nonlocal stale
            stale = _stale_names(codes, self._rejects.reload())
            return LogChange(commit_id=uuid.uuid4().hex, purpose="settle") if stale else None

        self._codes.update(plan)
        return stale

    def _remove_rejects(self, stale: tuple[str, ...]) -> bool:
        """Remove them from exactly the version in which they were found stale; False when there is a newer one."""
        found_in = self._rejects.state.version

        def plan(rejects: LogState) -> LogChange | None:
            if rejects.version != found_in:
                return None
            return LogChange(commit_id=uuid.uuid4().hex, removes=stale, purpose="settle")

        self._rejects.update(plan)
        return self._rejects.state.shards.keys().isdisjoint(stale)


def _stale_names(codes: LogState, rejects: LogState) -> tuple[str, ...]:
    committed = {(shard.name.task, shard.name.attempt) for shard in codes.shards.values()}
    return tuple(
        file_name
        for file_name, shard in sorted(rejects.shards.items())
        if (shard.name.task, shard.name.attempt) not in committed
    )


def _code_shard(task: EncodedTask) -> CommittedShard:
    name, num_rows = task.shard_name, task.num_rows
    first_id = name.prefix << NUM_ROW_BITS
    return CommittedShard(
        name=name,
        size_bytes=task.code_file.size_bytes,
        num_rows=num_rows,
        min_id=first_id if num_rows else None,
        max_id=first_id + num_rows - 1 if num_rows else None,
    )


def _rejects_shard(file: ShardFile) -> CommittedShard:
    return CommittedShard(name=ShardName.parse(file.name), size_bytes=file.size_bytes, num_rows=file.num_rows)
