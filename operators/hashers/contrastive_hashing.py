"""`ContrastiveHashing`: CIBHash (Qiu et al., "Unsupervised hashing with contrastive information bottleneck", IJCAI
2021), and `NeighborContrastiveHashing`, whose second view is of a neighbour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.hashers.method_settings import choice, number, switch, whole
from operators.hashers.network_hasher import NETWORKS, NetworkHasher, NetworkSettings
from operators.networks.picture_views import ViewSettings, random_views
from operators.quantization.feature_rows import check_feature_rows
from operators.training.batch_order import shuffled_batches
from operators.training.contrastive_losses import (
    bernoulli_divergence,
    normalised_temperature_loss,
    straight_through_codes,
)
from operators.training.learning_rate import cosine_rate
from operators.training.nearest_items import nearest_items
from operators.training.network_run import Losses, NetworkRun, RunPlan, feature_tensor
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers


@dataclass(frozen=True, kw_only=True)
class ContrastiveSettings(NetworkSettings):
    """Temperature and weight of the divergence: the authors'. Views of pictures: crops of at least `min_area`,
    mirrored, `jitter` of brightness and contrast; of other features (network "mlp"): each value dropped with a chance
    of `jitter` / 2. Learns from at most `num_training` items. `standardise`: batch normalisation of the outputs, so
    that bits are balanced from the start; the authors do without, on features of a network that was trained before."""

    network: str = choice("small-cnn", *NETWORKS)
    num_epochs: int = whole(10, minimum=1, maximum=100_000)
    batch_size: int = whole(256, minimum=2, maximum=100_000)
    rate: float = number(0.002, minimum=0, maximum=10)
    weight_decay: float = number(0.0005, minimum=0, maximum=1)
    temperature: float = number(0.3, minimum=1e-3, maximum=1e3)
    divergence: float = number(0.001, minimum=0, maximum=1e3)
    min_area: float = number(0.5, minimum=0.01, maximum=1)
    jitter: float = number(0.4, minimum=0, maximum=1)
    num_training: int = whole(30_000, minimum=2, maximum=100_000_000)
    standardise: bool = switch(True)


class ContrastiveHashing(NetworkHasher[ContrastiveSettings]):
    """Bits are the signs of a network's outputs, trained without labels so that two random views of an item get codes
    more alike than those of others (NT-Xent on straight-through codes), and their bit probabilities agree.

    Cost: two passes of the network per item and epoch.
    """

    method: ClassVar[str] = "cibhash"
    settings_type = ContrastiveSettings

    def new_network(self, num_dims: int) -> torch.nn.Module:
        network = super().new_network(num_dims)
        if not self._settings.standardise:
            return network
        return torch.nn.Sequential(network, torch.nn.BatchNorm1d(self.num_bits, affine=False))

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        settings = self._settings
        order = np.random.default_rng(settings.seed).permutation(len(features))[: settings.num_training]
        sample = features if len(order) == len(features) else features[np.sort(order)]
        return _ContrastiveRun(self, sample, self.partners(sample), workers)

    def partners(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """Items whose views count as views of the same thing, int64 `(num_items, num_partners)`: the item itself."""
        return np.arange(len(features))[:, None]


class _ContrastiveRun(NetworkRun):
    def __init__(
        self,
        hasher: ContrastiveHashing,
        features: NDArray[np.float32],
        partners: NDArray[np.int64],
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
        self._features, self._partners = feature_tensor(features), torch.from_numpy(partners)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        return shuffled_batches(len(self._features), self._settings.batch_size, rng)

    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        partners = self._partners[rows]
        drawn = torch.randint(partners.shape[1], (len(rows),), generator=generator)
        seen = torch.cat([rows, partners[torch.arange(len(rows)), drawn]])
        views = self._views(self._features[seen].to(self.plan.workers.device), generator)
        first, second = torch.sigmoid(self.module(views)).chunk(2)
        codes = straight_through_codes(first), straight_through_codes(second)
        contrast = normalised_temperature_loss(*codes, self._settings.temperature)
        divergence = bernoulli_divergence(first, second)
        loss = contrast + self._settings.divergence * divergence
        return {"loss": loss, "contrast": contrast, "divergence": divergence}

    def _views(self, rows: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        settings = self._settings
        if settings.network == "mlp":
            kept = torch.rand(rows.shape, generator=generator) >= settings.jitter / 2
            return rows * kept.to(rows.device)
        return random_views(rows, ViewSettings(min_area=settings.min_area, jitter=settings.jitter), generator)

    def publish(self) -> None:
        self._hasher.take_network(self.module, self._features.shape[1])


@dataclass(frozen=True, kw_only=True)
class NeighborContrastiveSettings(ContrastiveSettings):
    """`num_neighbors` nearest items in feature space count as the same thing."""

    num_neighbors: int = whole(5, minimum=1, maximum=10_000)


class NeighborContrastiveHashing(ContrastiveHashing):
    """CIBHash whose second view shows the item or one of its nearest items in feature space (as in NNCLR, Dwibedi et
    al., ICCV 2021, with fixed neighbours): bits then follow the manifold, not only what augmentation leaves alone."""

    method: ClassVar[str] = "cibhash-neighbors"
    settings_type = NeighborContrastiveSettings

    def partners(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        num_neighbors = int(getattr(self._settings, "num_neighbors", 0))
        if len(features) <= num_neighbors:
            given = str(num_neighbors)
            raise InvalidSetting(f"{self.method}.num_neighbors", given, f"fewer than the {len(features)} items")
        return np.concatenate([super().partners(features), nearest_items(features, num_neighbors)], axis=1)
