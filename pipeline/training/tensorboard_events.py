"""`TensorboardEvents`: the figures of a training as event files for TensorBoard."""

from __future__ import annotations

import importlib.util
from types import TracebackType
from typing import Self

from pipeline.errors import MissingExtra
from pipeline.training.epoch_figures import EpochFigures


class TensorboardEvents:
    """Writes one event file into `folder`, one step per epoch: `loss/<name>`, `validation/<metric>`,
    `codes/bit_entropy`, `codes/distinct`, `epoch/seconds`. A resumed training adds a file with the epochs since.

    Raises `MissingExtra` when tensorboard is not installed.
    """

    def __init__(self, folder: str) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise MissingExtra("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def __call__(self, figures: EpochFigures) -> None:
        values = {f"loss/{name}": value for name, value in figures.losses.items()}
        if figures.validation is not None:
            values[f"validation/{figures.validation_metric}"] = figures.validation
        values["codes/bit_entropy"] = figures.mean_bit_entropy
        values["codes/distinct"] = float(figures.num_distinct_codes)
        values["epoch/seconds"] = figures.seconds
        for name, value in values.items():
            self._writer.add_scalar(name, value, figures.epoch)
        self._writer.flush()
