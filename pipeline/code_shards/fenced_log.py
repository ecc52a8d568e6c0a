"""`FencedLog`: read, plan, commit, and after any failure read again and plan again."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.code_shards.delta_log import DELTA_FAILURES, DeltaLog, LogChange, one_line
from pipeline.code_shards.log_state import LogState
from pipeline.errors import CommitConflict, CommitStateUnknown, StorageError

_LOGGER = logging.getLogger(__name__)

Plan = Callable[[LogState], LogChange | None]


@dataclass(frozen=True, kw_only=True)
class RetryLimits:
    """`max_conflicts`: commits lost to other writers in a row; `max_failures`: refusals by the store in a row."""

    max_conflicts: int = 100
    max_failures: int = 4
    max_pause_seconds: float = 0.25


class FencedLog:
    """One table's log with the newest state that we know. A failed commit is never assumed lost or won: the plan sees
    the state read back after it, and gives None once everything it wants is there."""

    def __init__(self, log: DeltaLog, limits: RetryLimits) -> None:
        self._log = log
        self._limits = limits
        self._random = random.Random()
        self.num_conflicts = 0
        self.state = log.read()

    def reload(self) -> LogState:
        self.state = self._log.read()
        return self.state

    def update(self, plan: Plan) -> None:
        """Commit what `plan` asks for. Raises `CommitConflict` when others kept winning, and `CommitStateUnknown` when
        the store failed: the change may or may not be there, and running the command again settles it."""
        num_conflicts = num_failures = 0
        while (change := plan(self.state)) is not None:
            planned_on = self.state.version
            try:
                self._log.commit(self.state, change)
                return
            except DELTA_FAILURES as error:
                failure: Exception = error
            self._read_back(change, failure)
            if self.state.version > planned_on:
                num_conflicts, num_failures = num_conflicts + 1, 0
            else:
                num_failures += 1
            self._check_limits(num_conflicts, num_failures, failure)
            self._pause(num_conflicts + num_failures)
        # Nothing left to do, at once or after a failure: what was wanted is in the state that was read.

    def _read_back(self, change: LogChange, failure: Exception) -> None:
        _LOGGER.info("commit %s to %s failed, reading back: %s", change.commit_id, self._log.uri, one_line(failure))
        try:
            self.reload()
        except StorageError as error:
            raise CommitStateUnknown(
                f"{self._log.uri}: commit {change.commit_id} failed ({one_line(failure)}) and the table cannot be read "
                "to see whether it is there; run the command again when the store is back"
            ) from error

    def _check_limits(self, num_conflicts: int, num_failures: int, failure: Exception) -> None:
        self.num_conflicts += num_failures == 0
        if num_failures > self._limits.max_failures:
            raise CommitStateUnknown(
                f"{self._log.uri}: {num_failures} commits failed in a row ({one_line(failure)}); "
                "check the store and run the command again"
            ) from failure
        if num_conflicts > self._limits.max_conflicts:
            raise CommitConflict(
                f"{self._log.uri}: other writers won {num_conflicts} times; run the command again when they are done"
            ) from failure

    def _pause(self, num_tries: int) -> None:
        """A short random wait, so that writers that collided do not collide again."""
        time.sleep(self._random.uniform(0, min(self._limits.max_pause_seconds, 0.01 * 2 ** min(num_tries, 10))))
