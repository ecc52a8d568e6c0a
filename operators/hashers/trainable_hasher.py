"""`TrainableHasher`: a method that learns epoch by epoch."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from operators.hashers.method_settings import Settings
from operators.hashers.settings_hasher import SettingsHasher
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers


class TrainableHasher(SettingsHasher[Settings]):
    """`start` gives a run that a trainer drives (checkpoints, validation, several workers); `fit` drives it plainly."""

    @abstractmethod
    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        """A run over `features` `(num_items, num_dims)`; `labels` as in `fit`. Raises what `fit` raises."""

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        run = self.start(features, labels)
        for epoch in range(run.num_epochs):
            run.run_epoch(epoch)
        run.publish()
