"""`DeepSupervisedHashing`: DSH (Liu et al., "Deep supervised hashing for fast image retrieval", CVPR 2016), and
`BalancedSupervisedHashing`, the same loss with a better recipe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from operators.hashers.method_settings import choice, number, switch, whole
from operators.hashers.network_hasher import NETWORKS, NetworkHasher, NetworkSettings
from operators.networks.picture_augmentation import shifted_and_flipped
from operators.quantization.feature_rows import check_feature_rows
from operators.training.batch_order import class_balanced_batches, shuffled_batches
from operators.training.class_labels import require_labels
from operators.training.learning_rate import cosine_rate
from operators.training.network_run import Losses, NetworkRun, RunPlan, feature_tensor
from operators.training.pair_losses import binary_regulariser, contrastive_pair_loss, similar_pairs
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers


@dataclass(frozen=True, kw_only=True)
class DeepSupervisedSettings(NetworkSettings):
    """Of the authors' released configuration: batches of 200 with all pairs, `classes_per_batch` of them, `alpha` 0.01,
    margin 2 per bit, momentum 0.9, weight decay 0.004. `rate` and `num_epochs`: as published for Fashion-MNIST."""

    network: str = choice("dsh", *NETWORKS)
    num_epochs: int = whole(20, minimum=1, maximum=100_000)
    batch_size: int = whole(200, minimum=2, maximum=100_000)
    classes_per_batch: int = whole(10, minimum=2, maximum=100_000)
    rate: float = number(0.003, minimum=0, maximum=10)
    weight_decay: float = number(0.004, minimum=0, maximum=1)
    alpha: float = number(0.01, minimum=0, maximum=1e3)
    margin_per_bit: float = number(2.0, minimum=0, maximum=1e3)


class DeepSupervisedHashing(NetworkHasher[DeepSupervisedSettings]):
    """Bits are signs of a network's outputs, trained so that pairs of one class come close and others keep a margin.

    Online pairs: every batch holds equal numbers of random classes, and all its pairs count. Several labels per item:
    similar means one shared label, and batches are plainly shuffled. Cost: one pass of the network per item and epoch.
    """

    method: ClassVar[str] = "dsh"
    settings_type = DeepSupervisedSettings
    needs_labels: ClassVar[bool] = True

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        classes = require_labels(self.method, labels, len(features))
        return _PairRun(self, features, classes, workers)

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """SGD; biases learn twice as fast and do not decay, as in the authors' configuration."""
        weights = [p for p in network.parameters() if p.ndim > 1]
        biases = [p for p in network.parameters() if p.ndim <= 1]
        groups = [
            {"params": weights, "weight_decay": self._settings.weight_decay},
            {"params": biases, "weight_decay": 0.0, "rate_factor": 2.0},
        ]
        return torch.optim.SGD(groups, lr=self._settings.rate, momentum=0.9)

    def rate(self, progress: float) -> float:
        """The learning rate at a share of the run: constant."""
        return self._settings.rate

    def prepare(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What the network sees of a batch of features: the features."""
        return rows

    def loss(self, outputs: torch.Tensor, similar: torch.Tensor) -> Losses:
        """The mean over the pairs of a batch. Each pair carries the regulariser of both its items, hence the 2."""
        pairs = self.pair_loss(outputs, similar)
        regulariser = binary_regulariser(outputs)
        return {"loss": pairs + 2 * self._settings.alpha * regulariser, "pairs": pairs, "regulariser": regulariser}

    def pair_loss(self, outputs: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        """Mean over the pairs of a batch, every pair with the same weight."""
        return contrastive_pair_loss(outputs, similar, margin=self._settings.margin_per_bit * self._settings.num_bits)


class _PairRun(NetworkRun):
    def __init__(
        self,
        hasher: DeepSupervisedHashing,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        workers: Workers,
    ) -> None:
        network = hasher.new_network(features.shape[1]).to(workers.device)
        settings = hasher.typed_settings
        plan = RunPlan(seed=settings.seed, num_epochs=settings.num_epochs, rate=hasher.rate, workers=workers)
        super().__init__(network, hasher.optimizer(network), plan)
        self._hasher = hasher
        self._settings = settings
        self._labels = labels
        self._features = feature_tensor(features)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        if self._labels.ndim == 2:
            return shuffled_batches(len(self._labels), self._settings.batch_size, rng)
        return class_balanced_batches(self._labels, self._settings.batch_size, self._settings.classes_per_batch, rng)

    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        device = self.plan.workers.device
        batch = self._hasher.prepare(self._features[rows].to(device), generator)
        labels = torch.from_numpy(self._labels[rows.numpy()]).to(device)
        return self._hasher.loss(self.module(batch), similar_pairs(labels))

    def publish(self) -> None:
        self._hasher.take_network(self.module, self._features.shape[1])


@dataclass(frozen=True, kw_only=True)
class BalancedSupervisedSettings(DeepSupervisedSettings):
    """Peak `rate` of a cosine schedule of few epochs. `augment` moves pictures by up to 2 pixels and mirrors them; off,
    since it pays in long trainings only. `balance_pairs` weighs the two kinds of pairs equally, for labels of which a
    batch holds few similar pairs; off, since with balanced batches it makes classes that look alike share a code."""

    network: str = choice("small-cnn", *NETWORKS)
    num_epochs: int = whole(6, minimum=1, maximum=100_000)
    rate: float = number(0.003, minimum=0, maximum=10)
    weight_decay: float = number(0.0005, minimum=0, maximum=1)
    augment: bool = switch(False)
    balance_pairs: bool = switch(False)


class BalancedSupervisedHashing(DeepSupervisedHashing):
    """DSH's loss and class-balanced batches with a batch-normalised network, AdamW and a cosine schedule."""

    method: ClassVar[str] = "dsh-balanced"
    settings_type = BalancedSupervisedSettings

    @property
    def _recipe(self) -> BalancedSupervisedSettings:
        return cast("BalancedSupervisedSettings", self._settings)

    def optimizer(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), lr=self._recipe.rate, weight_decay=self._recipe.weight_decay)

    def rate(self, progress: float) -> float:
        return self._recipe.rate * cosine_rate(progress)

    def prepare(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        if self._recipe.network == "mlp" or not self._recipe.augment:
            return rows
        return shifted_and_flipped(rows, max_shift=2, generator=generator)

    def pair_loss(self, outputs: torch.Tensor, similar: torch.Tensor) -> torch.Tensor:
        margin = self._recipe.margin_per_bit * self._recipe.num_bits
        return contrastive_pair_loss(outputs, similar, margin=margin, balanced=self._recipe.balance_pairs)
