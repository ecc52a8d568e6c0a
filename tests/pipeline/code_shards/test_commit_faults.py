"""Commits under races and lost replies, on the local disk and on an S3 server."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from deltalake.transaction import CommitProperties

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import CommitOutcome, CommitSettings, Committer
from pipeline.code_shards.delta_log import DeltaLog, LogChange
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.code_shards.log_state import LogState
from pipeline.errors import CommitStateUnknown
from tests.fault_proxy import Fault, FaultProxy
from tests.pipeline.code_shards.shard_examples import IDENTITY, stored_task
from tests.s3_server import S3Server

NUM_PROCESSES, NUM_TASKS = 4, 8
COMMIT = r".*/codes/_delta_log/0+1\.json.*"


@pytest.fixture(params=["local", "s3"])
def collection_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "photos")
    server: S3Server = request.getfixturevalue("s3_server")
    return f"{server.uri}/photos"


class UnfencedLog(DeltaLog):
    """Lets delta-rs rebase commits, as it does for appends by default."""

    def _commit_properties(self, state: LogState, change: LogChange) -> CommitProperties:
        return CommitProperties(custom_metadata={"commit_id": change.commit_id})


class UnfencedCommitter(Committer):
    def _open_log(self, uri: str) -> DeltaLog:
        return UnfencedLog(uri)


class ForgetfulCommitter(Committer):
    """Does not look for its own files after a failed commit."""

    def _judge(self, codes: LogState, group: Sequence[EncodedTask]) -> tuple[CommitOutcome, list[EncodedTask]]:
        return super()._judge(LogState(version=codes.version, transaction=codes.transaction), group)


def commit_all(uri: str, attempt: int, start: Barrier, answers: multiprocessing.Queue[list[str]]) -> None:
    """One of several jobs that encode the same tasks at once."""
    tasks = [stored_task(uri, number, attempt=attempt, num_rejects=1) for number in range(NUM_TASKS)]
    committer = Committer(CodeTable.open(uri), CommitSettings(group_tasks=1))
    start.wait()
    outcome = CommitOutcome()
    for task in tasks:
        outcome += committer.add(task)
    outcome += committer.finish()
    answers.put([task.code_file.name for task in outcome.committed])


def test_jobs_that_race_commit_each_task_once(collection_uri: str) -> None:
    table = CodeTable.create(collection_uri, IDENTITY)
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(NUM_PROCESSES), context.Queue()
    jobs = [
        context.Process(target=commit_all, args=(collection_uri, attempt, start, answers))
        for attempt in range(1, NUM_PROCESSES + 1)
    ]
    for job in jobs:
        job.start()
    acknowledged = [name for _ in jobs for name in answers.get(timeout=60)]
    for job in jobs:
        job.join(timeout=30)
    snapshot = table.snapshot()
    assert [job.exitcode for job in jobs] == [0] * NUM_PROCESSES
    assert sorted(acknowledged) == sorted(shard.name.file_name for shard in snapshot.shards)
    assert len({shard.name.task for shard in snapshot.shards}) == len(snapshot.shards) == NUM_TASKS
    assert table.rejects_snapshot(snapshot).num_rows == NUM_TASKS
    assert len(DeltaLog(table.rejects_uri).read().shards) == NUM_TASKS


@pytest.mark.parametrize(("committer_class", "num_shards"), [(Committer, 1), (UnfencedCommitter, 2)])
def test_only_the_fence_keeps_a_stale_committer_from_doubling_a_task(
    collection_uri: str, committer_class: type[Committer], num_shards: int
) -> None:
    """The second case shows that the first can fail."""
    table = CodeTable.create(collection_uri, IDENTITY)
    first, second = committer_class(table), committer_class(table)
    first.add(stored_task(collection_uri, attempt=1))
    second.add(stored_task(collection_uri, attempt=2))
    outcomes = [first.flush(), second.flush()]
    assert len(table.snapshot().shards) == num_shards
    assert sum(len(outcome.committed) for outcome in outcomes) == num_shards


def commit_with(fault: Fault, proxy: FaultProxy, server: S3Server, committer_class: type[Committer]) -> CodeTable:
    table = CodeTable.create(f"{server.uri}/photos", IDENTITY)
    committer = committer_class(table)
    tasks = tuple(stored_task(table.uri, number, num_rejects=1) for number in range(2))
    for task in tasks:
        committer.add(task)
    proxy.plan([fault])
    assert committer.flush() == CommitOutcome(committed=tasks)
    return table


FAULTS = [
    Fault(action="lost_reply", method="PUT", target=COMMIT),
    Fault(action="lost_reply", method="PUT", target=COMMIT.replace("codes", "rejects")),
    Fault(action="reset", method="PUT", target=COMMIT),
    Fault(action="status", method="PUT", target=COMMIT, status=409, code="ConditionalRequestConflict"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=["lost codes", "lost rejects", "reset", "409"])
def test_a_fault_on_the_commit_makes_one_version(fault: Fault, fault_proxy: FaultProxy, s3_server: S3Server) -> None:
    table = commit_with(fault, fault_proxy, s3_server, Committer)
    snapshot = table.snapshot()
    assert (snapshot.version, len(snapshot.shards), snapshot.num_rows) == (1, 2, 6)
    assert table.rejects_snapshot(snapshot).num_rows == 2


def test_only_the_read_back_keeps_a_lost_reply_from_a_second_version(
    fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    """The test above can fail: the reply is really lost."""
    table = commit_with(FAULTS[0], fault_proxy, s3_server, ForgetfulCommitter)
    assert table.snapshot().version == 2


def test_a_store_that_goes_away_after_the_commit_leaves_the_state_unknown(
    fault_proxy: FaultProxy, s3_server: S3Server
) -> None:
    table = CodeTable.create(f"{s3_server.uri}/photos", IDENTITY)
    committer = Committer(table)
    task = stored_task(table.uri)
    committer.add(task)
    # The listing before the commit works, none does after it.
    fault_proxy.plan(
        [
            Fault(action="lost_reply", method="PUT", target=COMMIT),
            Fault(action="status", method="PUT", target=COMMIT, nth=1, times=99, status=403, code="AccessDenied"),
            Fault(action="status", method="GET", nth=1, times=99, status=403, code="AccessDenied"),
        ]
    )
    with pytest.raises(CommitStateUnknown, match="cannot be read to see whether it is there; run the command again"):
        committer.finish()
    fault_proxy.plan([])
    rerun = Committer(CodeTable.open(table.uri))
    rerun.add(task)
    assert rerun.finish() == CommitOutcome(committed=(task,))
    assert table.snapshot().version == 1
