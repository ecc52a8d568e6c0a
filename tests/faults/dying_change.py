"""A process that changes an index and kills itself before its n-th write: `python -m tests.faults.dying_change N JOB
CATALOG [KEY ...]`. It prints "finished" where it makes fewer writes than that."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pipeline.jobs.add_to_index import add_to_index
from pipeline.jobs.compact_index import compact_index
from pipeline.jobs.delete_items import delete_items
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.shard_files import HashedFile

_WRITES: tuple[tuple[Any, str], ...] = ((HashedFile, "close"), (LocalStore, "create"), (LocalStore, "write"))


class _Countdown:
    def __init__(self, num_writes: int) -> None:
        self._left = num_writes

    def watch(self, owner: Any, name: str) -> None:
        write = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self._left -= 1
            return write(*arguments, **named)

        setattr(owner, name, counted)


def _job(name: str, catalog: str, keys: list[str]) -> Callable[[], object]:
    jobs: dict[str, Callable[[], object]] = {
        "delete": lambda: delete_items(catalog, "photos", keys=keys),
        "add": lambda: add_to_index(catalog, "photos"),
        "compact": lambda: compact_index(catalog, "photos"),
    }
    return jobs[name]


if __name__ == "__main__":
    countdown = _Countdown(int(sys.argv[1]))
    for owner, name in _WRITES:
        countdown.watch(owner, name)
    _job(sys.argv[2], sys.argv[3], sys.argv[4:])()
    print("finished")
