"""`OrthogonalCentreHashing`: OrthoHash (Hoe et al., "One loss for all: deep hashing with a single cosine similarity
based learning objective", NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from operators.hashers.method_settings import choice, number, switch, whole
from operators.hashers.network_hasher import NETWORKS, NetworkHasher, NetworkSettings
from operators.networks.picture_augmentation import shifted_and_flipped
from operators.quantization.feature_rows import check_feature_rows
from operators.training.batch_order import shuffled_batches
from operators.training.class_labels import label_matrix, require_labels
from operators.training.hash_centres import hash_centres
from operators.training.learning_rate import cosine_rate
from operators.training.network_run import Losses, NetworkRun, RunPlan, feature_tensor
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers


@dataclass(frozen=True, kw_only=True)
class OrthogonalCentreSettings(NetworkSettings):
    """`scale` and `margin` of the cosine softmax: the paper's. `rate` is the peak of a cosine schedule. `augment` moves
    pictures by up to `max_shift` pixels and mirrors them."""

    network: str = choice("small-cnn", *NETWORKS)
    num_epochs: int = whole(15, minimum=1, maximum=100_000)
    batch_size: int = whole(200, minimum=2, maximum=100_000)
    rate: float = number(0.003, minimum=0, maximum=10)
    weight_decay: float = number(0.0005, minimum=0, maximum=1)
    scale: float = number(8.0, minimum=0, maximum=1e3)
    margin: float = number(0.2, minimum=0, maximum=2)
    augment: bool = switch(True)
    max_shift: int = whole(1, minimum=0, maximum=64)


class OrthogonalCentreHashing(NetworkHasher[OrthogonalCentreSettings]):
    """Bits are signs of batch-normalised outputs, drawn to the fixed, nearly orthogonal centre of their class.

    Loss (eq. 7): cross-entropy of softmax(scale (cos(output, centre) - margin of the own class)); no quantization loss.
    Several labels per item: the target is spread evenly over them. Cost: one pass of the network per item and epoch.
    """

    method: ClassVar[str] = "orthohash"
    settings_type = OrthogonalCentreSettings
    needs_labels: ClassVar[bool] = True

    def new_network(self, num_dims: int) -> torch.nn.Module:
        """The network with batch normalisation of its outputs, which balances bits (section 3.3)."""
        return torch.nn.Sequential(super().new_network(num_dims), torch.nn.BatchNorm1d(self.num_bits, affine=False))

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        classes = label_matrix(require_labels(self.method, labels, len(features)))
        return _CentreRun(self, features, classes, workers)


class _CentreRun(NetworkRun):
    def __init__(
        self,
        hasher: OrthogonalCentreHashing,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        workers: Workers,
    ) -> None:
        settings = hasher.typed_settings
        network = hasher.new_network(features.shape[1]).to(workers.device)
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
        plan = RunPlan(
            seed=settings.seed,
            num_epochs=settings.num_epochs,
            rate=lambda progress: settings.rate * cosine_rate(progress),
            workers=workers,
        )
        super().__init__(network, optimizer, plan)
        self._hasher, self._settings = hasher, settings
        self._features = feature_tensor(features)
        self._labels = torch.from_numpy(labels)
        centres = hash_centres(labels.shape[1], settings.num_bits, settings.seed)
        self._centres = torch.from_numpy(centres).to(workers.device)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        return shuffled_batches(len(self._features), self._settings.batch_size, rng)

    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        device, settings = self.plan.workers.device, self._settings
        batch, labels = self._features[rows].to(device), self._labels[rows].to(device)
        if settings.augment and settings.network != "mlp":
            batch = shifted_and_flipped(batch, max_shift=settings.max_shift, generator=generator)
        loss = centre_loss(self.module(batch), self._centres, labels, scale=settings.scale, margin=settings.margin)
        return {"loss": loss}

    def publish(self) -> None:
        self._hasher.take_network(self.module, self._features.shape[1])


def centre_loss(
    outputs: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor, *, scale: float, margin: float
) -> torch.Tensor:
    """Mean over the batch of eq. 7; `labels` 0/1 float `(batch, num_classes)`, each row shared out to a sum of 1."""
    cosines = torch.nn.functional.normalize(outputs, dim=1) @ torch.nn.functional.normalize(centres, dim=1).T
    logits = scale * (cosines - margin * labels)
    shares = labels / labels.sum(dim=1, keepdim=True).clamp_min(1)
    return -(shares * logits.log_softmax(dim=1)).sum(dim=1).mean()
