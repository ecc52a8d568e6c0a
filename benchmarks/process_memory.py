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

    `peaks`: by role, the largest (own, resident) in bytes of any one process of that role. Own memory is what the
    process has allocated; libraries and Ray's object store, which it maps from files, are resident as well. (The
    "unique set size" will not do: libraries count in it once nobody else has them open, as when Ray has ended.) The
    root is the "driver"; unknown ones are "other".
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
        for pid, (own, resident) in self._peaks_by_pid.items():
            role = self._roles.get(pid, "other")
            old_own, old_resident = largest.get(role, (0, 0))
            largest[role] = (max(own, old_own), max(resident, old_resident))
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
                memory, title = process.memory_info(), " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            own, resident = self._peaks_by_pid[process.pid]
            self._peaks_by_pid[process.pid] = (max(own, memory.rss - memory.shared), max(resident, memory.rss))
            self._note_role(process.pid, title)

    def _note_role(self, pid: int, title: str) -> None:
        if pid == self._root.pid:
            self._roles[pid] = "driver"
        for mark, role in _ROLES:
            if mark in title:
                self._roles[pid] = role
