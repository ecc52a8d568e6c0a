"""Progress of a training on stderr: a bar on a terminal, a line per epoch, but not too many, elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.training_note import TrainingNote

_LINE_EVERY_SECONDS = 1.0


class TrainProgress:
    """Shows notes and the figures of epochs; where there is no terminal at most one line a second, and the last."""

    def __init__(self) -> None:
        self._last_line = float("-inf")
        self._bar = _bar() if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("reading pictures", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, news: EpochFigures | TrainingNote) -> None:
        if isinstance(news, TrainingNote):
            print(news, file=sys.stderr, flush=True)
        else:
            self._show(news)

    def _show(self, figures: EpochFigures) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=str(figures), completed=figures.epoch, total=figures.num_epochs)
        elif time.perf_counter() - self._last_line >= _LINE_EVERY_SECONDS or figures.epoch == figures.num_epochs:
            self._last_line = time.perf_counter()
            print(figures, file=sys.stderr, flush=True)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
