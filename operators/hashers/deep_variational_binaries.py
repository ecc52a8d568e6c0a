"""`DeepVariationalBinaries`: DVB (Shen, Liu and Shao, "Unsupervised deep generative hashing", BMVC 2017)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.hashers.method_settings import MethodSettings, choice, number, switch, whole
from operators.hashers.network_hasher import NetworkHasher
from operators.hashers.principal_components import principal_components
from operators.networks.variational_networks import VariationalNetworks
from operators.quantization.feature_rows import check_feature_rows
from operators.quantization.k_means import k_means
from operators.training.batch_order import shuffled_batches
from operators.training.nearest_items import nearest_items
from operators.training.neighbor_walks import walk_affinity, walk_profiles
from operators.training.network_run import Losses, NetworkRun, RunPlan, feature_tensor
from operators.training.training_run import TrainingRun
from operators.training.variational_losses import (
    batch_affinity,
    decorrelation_loss,
    gaussian_divergence,
    manifold_loss,
    quantization_loss,
)
from operators.training.workers import ALONE, Workers

_PROFILE_WIDTH = 256


@dataclass(frozen=True, kw_only=True)
class DeepVariationalSettings(MethodSettings):
    """The thesis has `hidden` and `latent` 1024, `num_centres` 20 (CIFAR-10), weights 0.5, 0.1 and 1 with sums in place
    of means, 10 samples and Adam at 1e-4; those here train in a minute on a CPU, chosen on training pictures of
    Fashion-MNIST (HOG). Much more weight on H3 than on H2 leaves few codes, much less leaves no neighbourhood.

    `manifold`: "laplacian" (H3 with the sign that draws neighbours together), "printed" (as published, which drives
    them apart) or "none". `affinity`: "walks" (how much walks of `num_steps` steps from two items meet, over the graph
    of all items and their `num_neighbors` nearest; those that meet less than chance are driven apart, all together with
    `repulsion` of the weight of those that meet), "knn" (`num_neighbors` nearest of the batch) or "gaussian"
    (`temperature`; the printed 1e-3 makes it the identity). `posterior_input`: "sign" (published, straight-through) or
    "real" (released). `encoding`: "sampled" (mean over `num_samples` draws) or "mean" (z at its mean). The centre loss
    and H2 can be left out by `centres` false and `decorrelation` 0. Learns from at most `num_training` items: walks of
    so few steps cover less of a class the more items there are.
    """

    num_epochs: int = whole(10, minimum=1, maximum=100_000)
    batch_size: int = whole(256, minimum=2, maximum=100_000)
    rate: float = number(0.003, minimum=0, maximum=10)
    hidden: int = whole(256, minimum=1, maximum=65_536)
    latent: int = whole(64, minimum=1, maximum=65_536)
    num_centres: int = whole(50, minimum=1, maximum=100_000)
    centres: bool = switch(True)
    centre: float = number(1.0, minimum=0, maximum=1e6)
    quantization: float = number(0.1, minimum=0, maximum=1e6)
    decorrelation: float = number(1.7, minimum=0, maximum=1e6)
    manifold: str = choice("laplacian", "laplacian", "printed", "none")
    manifold_weight: float = number(1.0, minimum=0, maximum=1e6)
    affinity: str = choice("walks", "walks", "knn", "gaussian")
    num_neighbors: int = whole(25, minimum=1, maximum=100_000)
    num_steps: int = whole(10, minimum=1, maximum=1024)
    repulsion: float = number(0.8, minimum=0, maximum=1e6)
    temperature: float = number(0.001, minimum=1e-12, maximum=1e6)
    posterior_input: str = choice("sign", "sign", "real")
    encoding: str = choice("sampled", "sampled", "mean")
    num_samples: int = whole(10, minimum=1, maximum=10_000)
    num_training: int = whole(20_000, minimum=2, maximum=100_000_000)

    @property
    def walks(self) -> bool:
        """Whether walks over the graph of neighbours are needed."""
        return self.affinity == "walks" and self.manifold != "none"


class DeepVariationalBinaries(NetworkHasher[DeepVariationalSettings]):
    """Bits are the signs of a generator g(x, z) with z from a learned prior p(z | x), whose mean is drawn to the
    nearest of a few anchors (k-means centres of the principal components of the length-1 features).

    Without labels. Cost: three small networks per item and epoch; before, one k-means, and with the affinity "walks"
    the exact neighbours of all items, O(num_items^2).
    """

    method: ClassVar[str] = "dvb"
    settings_type = DeepVariationalSettings

    def new_network(self, num_dims: int) -> torch.nn.Module:
        settings = self._settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            return VariationalNetworks(
                num_dims,
                settings.num_bits,
                hidden=settings.hidden,
                latent=settings.latent,
                num_samples=settings.num_samples if settings.encoding == "sampled" else 0,
                generator=torch.Generator().manual_seed(settings.seed),
            )

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TrainingRun:
        check_feature_rows(features)
        order = np.random.default_rng(self._settings.seed).permutation(len(features))[: self._settings.num_training]
        features = features if len(order) == len(features) else features[np.sort(order)]
        if len(features) < self._settings.num_centres:
            given = str(self._settings.num_centres)
            raise InvalidSetting("dvb.num_centres", given, f"at most {len(features)}, the items to learn from")
        if self._settings.walks and len(features) <= self._settings.num_neighbors:
            given = str(self._settings.num_neighbors)
            raise InvalidSetting("dvb.num_neighbors", given, f"fewer than {len(features)}, the items to learn from")
        return _VariationalRun(self, features, workers)


class _VariationalRun(NetworkRun):
    def __init__(self, hasher: DeepVariationalBinaries, features: NDArray[np.float32], workers: Workers) -> None:
        settings = hasher.typed_settings
        network = hasher.new_network(features.shape[1]).to(workers.device)
        assert isinstance(network, VariationalNetworks)
        plan = RunPlan(
            seed=settings.seed, num_epochs=settings.num_epochs, rate=lambda _: settings.rate, workers=workers
        )
        super().__init__(network, torch.optim.Adam(network.parameters(), lr=settings.rate), plan)
        self._hasher, self._settings, self._networks = hasher, settings, network
        self._features = feature_tensor(features)
        self._anchors = torch.from_numpy(nearest_anchors(features, settings))
        self._profiles = torch.from_numpy(_walk_profiles(features, settings)) if settings.walks else torch.zeros(0)

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        return shuffled_batches(len(self._features), self._settings.batch_size, rng)

    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        settings, device, networks = self._settings, self.plan.workers.device, self._networks
        batch = self._features[rows].to(device)
        prepared = networks.prepare(batch)
        prior = networks.prior_of(prepared)
        noise = torch.randn(prior[0].shape, generator=generator).to(device)
        codes = networks.generate(prepared, prior[0] + prior[1].sqrt() * noise)
        # Straight-through: the posterior sees signs, gradients pass as if it saw the real values.
        signs = codes + (torch.where(codes >= 0, 1.0, -1.0) - codes).detach()
        posterior = networks.posterior_of(prepared, signs if settings.posterior_input == "sign" else codes)
        parts = {
            "divergence": gaussian_divergence(posterior, prior) / settings.latent,
            "centre": (prior[0] - self._anchors[rows].to(device)).square().sum(dim=1).mean(),
            "quantization": quantization_loss(codes),
            "decorrelation": decorrelation_loss(codes),
            "manifold": manifold_loss(codes, self._affinity(rows, batch)),
        }
        weights = self._weights()
        loss = torch.stack([weights[name] * value for name, value in parts.items()]).sum()
        return {"loss": loss, **parts}

    def _weights(self) -> dict[str, float]:
        settings = self._settings
        signs = {"laplacian": 1.0, "printed": -1.0, "none": 0.0}
        return {
            "divergence": 1.0,
            "centre": settings.centre if settings.centres else 0.0,
            "quantization": settings.quantization,
            "decorrelation": settings.decorrelation,
            "manifold": signs[settings.manifold] * settings.manifold_weight,
        }

    def _affinity(self, rows: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        settings = self._settings
        if settings.walks:
            return walk_affinity(self._profiles[rows].to(batch.device), repulsion=settings.repulsion)
        lengthless = torch.nn.functional.normalize(batch, dim=1)
        num_neighbors = settings.num_neighbors if settings.affinity == "knn" else None
        return batch_affinity(lengthless, num_neighbors=num_neighbors, temperature=settings.temperature)

    def publish(self) -> None:
        self._hasher.take_network(self.module, self._features.shape[1])


def _walk_profiles(features: NDArray[np.float32], settings: DeepVariationalSettings) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    neighbors = nearest_items(features / np.maximum(lengths, 1e-12), settings.num_neighbors)
    rng = np.random.default_rng(settings.seed)
    return walk_profiles(neighbors, num_steps=settings.num_steps, width=_PROFILE_WIDTH, rng=rng)


def nearest_anchors(features: NDArray[np.float32], settings: DeepVariationalSettings) -> NDArray[np.float32]:
    """The anchor of every item, float32 `(num_items, latent)`: items scaled to length 1, their first `latent` principal
    components (zeros where there are fewer), the nearest of `num_centres` k-means centres."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    rows = features / np.maximum(lengths, 1e-12)
    mean, _, directions = principal_components(rows)
    components = (rows - mean.astype(np.float32)) @ directions[:, : settings.latent].astype(np.float32)
    missing = settings.latent - components.shape[1]
    components = np.pad(components, ((0, 0), (0, missing)))
    found = k_means(components, num_centres=settings.num_centres, num_iterations=50, seed=settings.seed)
    return found.centres[found.assignment]
