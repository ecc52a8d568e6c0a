"""`NetworkRun`: a training run of one network and one optimizer, batch by batch."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from operators.training.batch_order import epoch_generator
from operators.training.batch_statistics import average_batch_statistics
from operators.training.gradient_step import gradient_step
from operators.training.learning_rate import set_learning_rate
from operators.training.state_arrays import (
    load_module_arrays,
    load_optimizer_arrays,
    module_arrays,
    optimizer_arrays,
)
from operators.training.training_run import TrainingRun
from operators.training.workers import Workers

Losses = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """`rate(progress)` is the learning rate at a share of the whole run in [0, 1]."""

    seed: int
    num_epochs: int
    rate: Callable[[float], float]
    workers: Workers


def feature_tensor(features: NDArray[np.float32]) -> torch.Tensor:
    """The same memory as a tensor; nothing may be written to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(features)


class NetworkRun(TrainingRun):
    """A method says which batches an epoch has (`batches`) and what their losses are (`losses`; "loss" counts)."""

    def __init__(self, module: torch.nn.Module, optimizer: torch.optim.Optimizer, plan: RunPlan) -> None:
        self.module = module
        self.optimizer = optimizer
        self.plan = plan

    @property
    def num_epochs(self) -> int:
        return self.plan.num_epochs

    @abstractmethod
    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        """Row numbers of every batch."""

    @abstractmethod
    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        """Losses of one batch; `rows` are this worker's row numbers, `generator` (CPU) draws what is random."""

    def run_epoch(self, epoch: int) -> dict[str, float]:
        rng = epoch_generator(self.plan.seed, epoch)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        batches = list(self.batches(epoch, rng))
        totals: dict[str, float] = defaultdict(float)
        self.module.train()
        for number, batch in enumerate(batches):
            progress = (epoch + number / len(batches)) / self.num_epochs
            set_learning_rate(self.optimizer, self.plan.rate(progress))
            average_batch_statistics(self.module, number)
            losses = self.losses(self.plan.workers.share(torch.from_numpy(batch)), generator)
            gradient_step(losses["loss"], self.module, self.optimizer, self.plan.workers)
            for name, value in losses.items():
                totals[name] += float(value.detach()) / len(batches)
        return dict(totals)

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {**module_arrays(self.module, "module"), **optimizer_arrays(self.optimizer, "optimizer")}

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        load_module_arrays(self.module, "module", state)
        load_optimizer_arrays(self.optimizer, "optimizer", state)
