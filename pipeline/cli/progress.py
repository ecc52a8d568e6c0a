"""Progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.encoding.run_report import RunReport

_LINE_EVERY_SECONDS = 5.0


class EncodeProgress:
    """Shows a running report. The number of tasks ahead is not known while a source is still being listed, so the bar
    counts what is done and how fast."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._last_line = float("-inf")
        self._bar = _bar() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("starting encoders", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, report: RunReport) -> None:
        text = self._text(report)
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=report.num_items)
        elif report.num_items and time.perf_counter() - self._last_line >= _LINE_EVERY_SECONDS:
            self._last_line = time.perf_counter()
            print(text, file=sys.stderr, flush=True)

    def _text(self, report: RunReport) -> str:
        rate = report.num_items / max(time.perf_counter() - self._started, 1e-9)
        rejects = f", {report.num_rejects:,} rejects" if report.num_rejects else ""
        return f"{report.num_tasks:,} tasks, {report.num_items:,} items{rejects}, {rate:,.0f} items/s"


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
