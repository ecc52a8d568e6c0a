"""`TrainingRun`: a method in training, driven from outside one epoch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


class TrainingRun(ABC):
    """Epochs `0 .. num_epochs - 1`, to be run in order; `publish` puts what was learned so far into the hasher.

    The same data and seed give the same state after the same epochs. `load_state(state())` between two epochs changes
    nothing: a killed run that goes on from its state ends as an undisturbed one. Randomness of an epoch therefore comes
    from a generator seeded by (seed, epoch), never from one that lives longer.
    """

    @property
    @abstractmethod
    def num_epochs(self) -> int: ...

    @abstractmethod
    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Learn for one epoch; the mean of every loss by name, "loss" being what is minimised.

        Raises `TrainingDiverged` as soon as the loss is NaN or infinite.
        """

    @abstractmethod
    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything that the next epoch depends on (weights, optimizer, codes, codebooks), by name; copies."""

    @abstractmethod
    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state()` gave for the same data and settings. Raises `ShapeMismatch` for other arrays."""

    @abstractmethod
    def publish(self) -> None:
        """Put the present weights into the hasher, so that it encodes with them. May be called after any epoch."""
