from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import CommitOutcome, CommitSettings, Committer
from pipeline.code_shards.delta_log import DeltaLog
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.code_shards.log_state import TableSnapshot
from pipeline.errors import UsageError
from tests.pipeline.code_shards.shard_examples import IDENTITY, stored_task


@pytest.fixture
def table(tmp_path: Path) -> CodeTable:
    return CodeTable.create(str(tmp_path), IDENTITY)


def committed_names(table: CodeTable) -> list[str]:
    return sorted(shard.name.file_name for shard in table.snapshot().shards)


def names_of(tasks: Sequence[EncodedTask]) -> list[str]:
    return sorted(task.code_file.name for task in tasks)


def rejects_in_log(table: CodeTable) -> list[str]:
    """All of them, leftovers included."""
    return sorted(DeltaLog(table.rejects_uri).read().shards)


@pytest.mark.parametrize(("group_tasks", "num_versions"), [(1, 5), (2, 3), (5, 1), (64, 1)])
def test_tasks_are_committed_in_groups(table: CodeTable, group_tasks: int, num_versions: int) -> None:
    tasks = [stored_task(table.uri, number, num_rows=number) for number in range(5)]
    committer = Committer(table, CommitSettings(group_tasks=group_tasks))
    outcome = sum((committer.add(task) for task in tasks), CommitOutcome())
    assert outcome.committed == tuple(tasks[: (5 - 1) // group_tasks * group_tasks])
    outcome += committer.finish()
    assert outcome == CommitOutcome(committed=tuple(tasks))
    assert committed_names(table) == names_of(tasks)
    assert table.snapshot().version == num_versions
    assert committer.snapshot() == table.snapshot()


def test_nothing_to_commit_makes_no_version(table: CodeTable) -> None:
    committer = Committer(table)
    assert committer.flush() == committer.finish() == CommitOutcome()
    assert table.snapshot() == TableSnapshot(version=0, shards=())


def test_a_task_with_no_good_row_is_committed_too(table: CodeTable) -> None:
    task = stored_task(table.uri, num_rows=0, num_rejects=2)
    committer = Committer(table)
    committer.add(task)
    committer.finish()
    snapshot = table.snapshot()
    assert [(shard.name, shard.num_rows, shard.min_id) for shard in snapshot.shards] == [(task.shard_name, 0, None)]
    assert table.rejects_snapshot(snapshot).num_rows == 2


def test_ids_of_the_log_are_those_of_the_file(table: CodeTable) -> None:
    committer = Committer(table)
    committer.add(stored_task(table.uri, num_rows=3))
    committer.finish()
    (shard,) = table.snapshot().shards
    first = shard.name.prefix << 20
    assert (shard.min_id, shard.max_id, shard.num_rows) == (first, first + 2, 3)


def test_a_second_attempt_is_never_committed(table: CodeTable) -> None:
    first, second, third = (stored_task(table.uri, attempt=attempt, num_rejects=1) for attempt in (1, 2, 3))
    committer = Committer(table)
    committer.add(first)
    committer.add(second)
    assert committer.finish() == CommitOutcome(committed=(first,), already_committed=(second,))
    committer.add(third)
    assert committer.finish() == CommitOutcome(already_committed=(third,))
    assert committed_names(table) == names_of([first])
    assert rejects_in_log(table) == [first.rejects_file and first.rejects_file.name]


def test_committing_the_same_files_again_changes_nothing(table: CodeTable) -> None:
    task = stored_task(table.uri)
    for _ in range(2):
        committer = Committer(table)
        committer.add(task)
        assert committer.finish() == CommitOutcome(committed=(task,))
    assert table.snapshot().version == 1


def test_a_taken_id_prefix_is_refused_and_another_salt_accepted(table: CodeTable, tmp_path: Path) -> None:
    """Another source with a task of the same id has the same prefix: the clash that chance would take years to make."""
    ours = stored_task(table.uri)
    theirs = replace(ours, source_id="6" * 16)
    theirs = replace(theirs, code_file=replace(ours.code_file, name=ours.code_file.name.replace("5" * 16, "6" * 16, 1)))
    assert theirs.shard_name.prefix == ours.shard_name.prefix
    for committer in (Committer(table), Committer(table)):  # In one group, and against the table.
        committer.add(ours)
        committer.add(theirs)
        assert committer.finish() == CommitOutcome(committed=(ours,), prefix_taken=(theirs,))
    salted = stored_task(table.uri, salt=1, attempt=9)
    salted = replace(salted, source_id="6" * 16)
    salted = replace(
        salted, code_file=replace(salted.code_file, name=salted.code_file.name.replace("5" * 16, "6" * 16, 1))
    )
    committer = Committer(table)
    committer.add(salted)
    assert committer.finish().committed == (salted,)


def test_superseded_shards_go_in_the_commit_of_the_last_adds(table: CodeTable) -> None:
    old = [stored_task(table.uri, number, num_rejects=1) for number in (1, 2)]
    committer = Committer(table)
    for task in old:
        committer.add(task)
    committer.finish()
    before = table.snapshot().version
    new = stored_task(table.uri, 3, num_rejects=1)
    committer = Committer(table)
    committer.add(new)
    committer.finish(superseded=[task.shard_name for task in old])
    assert committed_names(table) == names_of([new])
    first_after = table.snapshot(before + 1)
    assert [shard.name for shard in first_after.shards] == [new.shard_name]
    assert rejects_in_log(table) == [new.rejects_file and new.rejects_file.name]
    assert len(table.snapshot(before).shards) == 2


def test_superseding_what_somebody_removed_is_no_error(table: CodeTable) -> None:
    task = stored_task(table.uri)
    committer = Committer(table)
    committer.add(task)
    committer.finish()
    other = Committer(table)
    committer.finish(superseded=[task.shard_name])
    other.finish(superseded=[task.shard_name])
    assert committed_names(table) == []


def leave_rejects(table: CodeTable, number: int = 7) -> EncodedTask:
    """What a kill between the two commits leaves."""
    task = stored_task(table.uri, number, num_rejects=2)
    Committer(table)._publish_rejects([task])
    return task


def test_settle_removes_rejects_of_attempts_that_were_never_committed(table: CodeTable) -> None:
    committer = Committer(table)
    kept = stored_task(table.uri, 1, num_rejects=1)
    committer.add(kept)
    committer.finish()
    leave_rejects(table)
    snapshot = table.snapshot()
    assert table.rejects_snapshot(snapshot).num_rows == 1
    assert Committer(table).settle() == 1
    assert rejects_in_log(table) == [kept.rejects_file and kept.rejects_file.name]
    assert Committer(table).settle() == 0


class Interrupted(Committer):
    """Lets something happen between the rejects commit and the codes commit, once."""

    def __init__(self, table: CodeTable, interruption: Callable[[], object]) -> None:
        super().__init__(table)
        self._interruption: Callable[[], object] | None = interruption

    def _publish_rejects(self, tasks: Sequence[EncodedTask]) -> None:
        super()._publish_rejects(tasks)
        interruption, self._interruption = self._interruption, None
        if interruption is not None:
            interruption()


def test_settle_of_another_job_costs_a_live_committer_nothing(table: CodeTable) -> None:
    task = stored_task(table.uri, num_rejects=2)
    live = Interrupted(table, lambda: Committer(table).settle())
    live.add(task)
    assert live.finish() == CommitOutcome(committed=(task,))
    assert live.num_conflicts > 0
    assert table.rejects_snapshot(table.snapshot()).num_rows == 2


class CarelessSettle(Committer):
    """Settles without fencing the codes table."""

    def _fence_stale_rejects(self) -> tuple[str, ...]:
        return tuple(self._rejects.reload().shards)


def test_the_fence_is_what_saves_the_rejects(table: CodeTable) -> None:
    """The test above can fail: without the fence the rejects are gone."""
    live = Interrupted(table, lambda: CarelessSettle(table).settle())
    live.add(stored_task(table.uri, num_rejects=2))
    live.flush()
    assert table.rejects_snapshot(table.snapshot()).num_rows == 0


class LateSettle(Committer):
    """A live job commits after this one has fenced and before it removes."""

    def __init__(self, table: CodeTable, live: Committer) -> None:
        super().__init__(table)
        self._live: Committer | None = live

    def _remove_rejects(self, stale: tuple[str, ...]) -> bool:
        if self._live is not None:
            self._live.flush()
            self._live = None
        return super()._remove_rejects(stale)


def test_settle_looks_again_when_a_live_committer_was_faster(table: CodeTable) -> None:
    task = stored_task(table.uri, num_rejects=2)
    live = Committer(table)
    live.add(task)
    live._publish_rejects([task])
    assert LateSettle(table, live).settle() == 0
    snapshot = table.snapshot()
    assert [shard.name for shard in snapshot.shards] == [task.shard_name]
    assert table.rejects_snapshot(snapshot).num_rows == 2


def test_a_group_needs_a_task() -> None:
    with pytest.raises(UsageError, match="group_tasks = 0: expected at least 1"):
        CommitSettings(group_tasks=0)
