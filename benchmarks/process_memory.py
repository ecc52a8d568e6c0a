"""`MemoryWatch`: the peak memory of a process and everything it started, by the role that each process plays."""

from __future__ import annotations

import threading
from collections import defaultdict
from types import TracebackType
from typing import Self

import psutil

# Ray writes what a worker does into its title. A worker that is idle between tasks keeps the role it had.
_ROLES = (
    ("ray::EncoderActor", "encoder"),
    ("ray::_decode", "decoder"),
    ("raylet/raylet", "raylet"),
    ("gcs/gcs_server", "gcs_server"),
)


class MemoryWatch:
    """While entered, looks at the process tree below `pid` every `every_seconds`.

    `peaks`: by role, the largest (uss, rss) in bytes of any one process of that role. Memory that processes share,
    such as Ray's object store, counts in rss only. The root is the "driver"; unknown ones are "other".
    """

    def __init__(self, pid: int, *, every_seconds: float = 0.5) -> None:
        self._root = psutil.Process(pid)
        self._every_seconds = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._peaks_by_pid: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        self._roles: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def peaks(self) -> dict[str, tuple[int, int]]:
        largest: dict[str, tuple[int, int]] = {}
        for pid, (uss, rss) in self._peaks_by_pid.items():
            role = self._roles.get(pid, "other")
            old_uss, old_rss = largest.get(role, (0, 0))
            largest[role] = (max(uss, old_uss), max(rss, old_rss))
        return largest

    def _watch(self) -> None:
        while True:
            self._look()
            if self._ended.wait(self._every_seconds):
                return

    def _look(self) -> None:
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in processes:
            try:
                memory, title = process.memory_full_info(), " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            uss, rss = self._peaks_by_pid[process.pid]
            self._peaks_by_pid[process.pid] = (max(uss, memory.uss), max(rss, memory.rss))
            self._note_role(process.pid, title)

    def _note_role(self, pid: int, title: str) -> None:
        if pid == self._root.pid:
            self._roles[pid] = "driver"
        for mark, role in _ROLES:
            if mark in title:
                self._roles[pid] = role
