from __future__ import annotations

from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.delta_log import DeltaLog, LogChange
from pipeline.code_shards.fenced_log import FencedLog, RetryLimits
from pipeline.code_shards.log_state import LogState
from pipeline.errors import CommitConflict, CommitStateUnknown, StorageError
from tests.pipeline.code_shards.shard_examples import IDENTITY
from tests.pipeline.code_shards.test_log_state import shard_of

LIMITS = RetryLimits(max_conflicts=3, max_failures=2, max_pause_seconds=0.0)
FULL_DISK = OSError("No space left\n  ↳ on device")


class FaultyLog(DeltaLog):
    """Fails commits by plan; `apply` says whether a failing commit is written nevertheless."""

    def __init__(self, uri: str, failures: list[Exception], *, apply: bool = False, blind: bool = False) -> None:
        super().__init__(uri)
        self.failures = failures
        self.apply = apply
        self.blind = blind

    def read(self, version: int | None = None) -> LogState:
        if self.blind and not self.failures:
            raise StorageError("store is gone")
        return super().read(version)

    def commit(self, state: LogState, change: LogChange) -> None:
        if not self.failures:
            super().commit(state, change)
            return
        if self.apply:
            super().commit(super().read(), change)
        raise self.failures.pop(0)


class BusyLog(DeltaLog):
    """Somebody else is always first."""

    def commit(self, state: LogState, change: LogChange) -> None:
        rival = DeltaLog(self.uri)
        rival.commit(rival.read(), LogChange(commit_id="rival"))
        super().commit(state, change)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return CodeTable.create(str(tmp_path), IDENTITY).codes_uri


def add_shard(state: LogState) -> LogChange | None:
    shard = shard_of(1)
    return None if shard.name.file_name in state.shards else LogChange(commit_id="mine", adds=(shard,))


def test_a_plan_that_wants_nothing_commits_nothing(uri: str) -> None:
    FencedLog(DeltaLog(uri), LIMITS).update(lambda state: None)
    assert DeltaLog(uri).read().version == 0


@pytest.mark.parametrize("apply", [False, True], ids=["not written", "written, reply lost"])
@pytest.mark.parametrize("failure", [FULL_DISK, DeltaError("timed out")])
def test_a_failed_commit_is_read_back_and_made_once(uri: str, failure: Exception, apply: bool) -> None:
    log = FencedLog(FaultyLog(uri, [failure], apply=apply), LIMITS)
    log.update(add_shard)
    state = DeltaLog(uri).read()
    assert (state.version, len(state.shards)) == (1, 1)
    assert log.state.shards == state.shards


def test_without_the_read_back_it_would_be_made_twice(uri: str) -> None:
    """The test above can fail: a plan that does not look commits again."""
    log = FencedLog(FaultyLog(uri, [FULL_DISK], apply=True), LIMITS)
    log.update(lambda state: LogChange(commit_id="mine", adds=(shard_of(1),)))
    assert DeltaLog(uri).read().version == 2


def test_a_store_that_keeps_failing_is_given_up_in_one_line(uri: str) -> None:
    log = FencedLog(FaultyLog(uri, [FULL_DISK] * 9), LIMITS)
    match = r"3 commits failed in a row \(No space left ↳ on device\); check the store and run the command again"
    with pytest.raises(CommitStateUnknown, match=match):
        log.update(add_shard)
    assert DeltaLog(uri).read().version == 0


def test_a_state_that_cannot_be_read_back_is_unknown(uri: str) -> None:
    log = FencedLog(FaultyLog(uri, [FULL_DISK], apply=True, blind=True), LIMITS)
    with pytest.raises(
        CommitStateUnknown, match=r"commit mine failed .* cannot be read to see whether it is there; run"
    ):
        log.update(add_shard)


def test_conflicts_end_too(uri: str) -> None:
    log = FencedLog(BusyLog(uri), LIMITS)
    with pytest.raises(CommitConflict, match="other writers won 4 times; run the command again when they are done"):
        log.update(add_shard)
    assert log.num_conflicts == 4
    assert DeltaLog(uri).read().shards == {}
