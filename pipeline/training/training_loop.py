"""`TrainingLoop`: drives a training run epoch by epoch, with validation, early stop and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from operators.errors import TrainingDiverged
from operators.hashers.trainable_hasher import TrainableHasher
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers
from pipeline.errors import GateFailed
from pipeline.training.checkpoint_store import CheckpointStore
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.training_checkpoint import Arrays, TrainingCheckpoint
from pipeline.training.training_note import TrainingNote
from pipeline.training.validation_slice import ValidationSlice
from pipeline.training.worker_agreement import agree_on_state, agreed_number


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """`patience` epochs without a better validation value end the training (0: never). A checkpoint is written after
    every `checkpoint_epochs` epochs and after the last, where there is a store for them."""

    patience: int
    checkpoint_epochs: int
    workers: Workers = ALONE
    checkpoints: CheckpointStore | None = None


class TrainingLoop:
    """`epochs` trains, going on from the newest checkpoint; then the hasher holds the best epoch's weights.

    Of several workers only the first measures, reports and writes; the others follow its decisions.
    """

    def __init__(
        self, hasher: TrainableHasher[Any], run: TrainingRun, validation: ValidationSlice, settings: LoopSettings
    ) -> None:
        self._hasher, self._run, self._validation, self._settings = hasher, run, validation, settings
        self._is_first = settings.workers.rank == 0
        self._best: Arrays = {}
        self.history: tuple[EpochFigures, ...] = ()
        self.num_resumed_epochs = 0
        self.num_threads = torch.get_num_threads()  # sums are split by threads: other numbers, other last digits

    @property
    def best_epoch(self) -> int:
        """The first epoch with the best validation value, or the last one run where none was measured; 0 before any."""
        values = [-np.inf if figures.validation is None else figures.validation for figures in self.history]
        if not values or self.history[-1].validation is None:
            return len(values)
        return int(np.argmax(values)) + 1

    def epochs(self) -> Iterator[EpochFigures | TrainingNote]:
        """Train; what there is to say of old checkpoints, then the figures after every epoch, in the first worker.

        Raises `GateFailed` when a loss is no number."""
        notes: list[str] = []
        epoch = self._resume(notes)
        for note in notes:
            yield TrainingNote(note)
        while not self._is_over(epoch):
            figures = self._train(epoch)
            epoch += 1
            if figures is not None:
                yield figures
        self._take_best()

    def _resume(self, notes: list[str]) -> int:
        """How many epochs are done already."""
        store, workers = self._settings.checkpoints, self._settings.workers
        checkpoint = store.latest(notes.append) if store is not None and self._is_first else None
        num_done = agreed_number(workers, 0 if checkpoint is None else checkpoint.num_epochs_done)
        if num_done == 0:
            return 0
        if checkpoint is None and store is not None:
            checkpoint = store.at_epoch(num_done)
        assert checkpoint is not None
        self._run.load_state(checkpoint.state)
        self._best, self.history = checkpoint.best, checkpoint.history
        self.num_resumed_epochs = num_done
        if self._is_first:
            notes.append(f"going on from a checkpoint after epoch {num_done}")
        return num_done

    def _is_over(self, epoch: int) -> bool:
        patience = self._settings.patience
        stale = bool(self.history) and self.history[-1].validation is not None
        stopped = stale and patience > 0 and epoch - self.best_epoch >= patience
        return bool(agreed_number(self._settings.workers, int(stopped or epoch >= self._run.num_epochs)))

    def _train(self, epoch: int) -> EpochFigures | None:
        started = time.perf_counter()
        losses = self._run_epoch(epoch)
        agree_on_state(self._settings.workers, self._run)
        if not self._is_first:
            return None
        self._run.publish()
        measured = self._validation.measure(self._hasher)
        figures = EpochFigures(
            epoch=epoch + 1,
            num_epochs=self._run.num_epochs,
            losses=losses,
            validation_metric=measured.metric,
            validation=measured.value,
            mean_bit_entropy=measured.health.mean_bit_entropy,
            num_distinct_codes=measured.health.num_distinct_codes,
            num_measured=measured.health.num_items,
            seconds=time.perf_counter() - started,
        )
        self.history = (*self.history, figures)
        if measured.value is not None and self.best_epoch == epoch + 1:
            self._best = {name: np.array(tensor) for name, tensor in self._hasher.tensors().items()}
        self._save_checkpoint(epoch + 1)
        return figures

    def _run_epoch(self, epoch: int) -> dict[str, float]:
        try:
            losses = self._run.run_epoch(epoch)
        except TrainingDiverged as error:
            raise GateFailed(self._diverged(epoch, str(error))) from error
        wrong = [f"{name} = {value}" for name, value in losses.items() if not np.isfinite(value)]
        if wrong:
            raise GateFailed(self._diverged(epoch, ", ".join(wrong)))
        return losses

    def _diverged(self, epoch: int, what: str) -> str:
        before = f"; before it, {self.history[-1]}" if self.history else ""
        return f"the model was not stored, training broke down in epoch {epoch + 1}: {what}{before}"

    def _save_checkpoint(self, num_done: int) -> None:
        store = self._settings.checkpoints
        is_due = num_done % self._settings.checkpoint_epochs == 0 or num_done == self._run.num_epochs
        if store is not None and is_due:
            store.save(TrainingCheckpoint(state=self._run.state(), best=self._best, history=self.history))

    def _take_best(self) -> None:
        if not self._is_first:
            return
        if self._best:
            self._hasher.load_tensors(self._best)
        else:
            self._run.publish()
