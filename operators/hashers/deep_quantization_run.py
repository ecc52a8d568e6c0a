"""Training of DeepQuan: network, codebooks and codes in turn."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from operators.hashers.deep_quantization_settings import DeepQuantizationSettings
from operators.hashers.optimized_product_quantization import rotate_and_code
from operators.networks.autoencoder import Autoencoder
from operators.networks.frozen_forward import forward_rows
from operators.quantization.codebook_update import refined_codebooks
from operators.quantization.product_codebooks import ProductCodebooks
from operators.training.batch_order import shuffled_batches
from operators.training.learning_rate import cosine_rate
from operators.training.nearest_items import nearest_items
from operators.training.neighbor_walks import walk_ends, walk_profiles
from operators.training.network_run import Losses, NetworkRun, RunPlan, feature_tensor
from operators.training.triplet_losses import squared_distances, weighted_triplet_loss
from operators.training.workers import Workers

logger = logging.getLogger(__name__)

_KMEANS_STEPS = 25
_ROTATION_STEPS = 10
_FINAL_LLOYD_STEPS = 10


class CodedNetwork(Protocol):
    """What the run needs of the method that it trains."""

    @property
    def typed_settings(self) -> DeepQuantizationSettings: ...

    @property
    def num_codebooks(self) -> int: ...

    def take(self, network: torch.nn.Module, codebooks: ProductCodebooks) -> None:
        """Encode with these from now on."""


class DeepQuantizationRun(NetworkRun):
    """Minimises, over network, words C and codes b, with h the code layer of x and g the decoder, the weighted sum of

    L_Q = mean ||h_i - C b_i||^2, L_M = mean ||x_i - g(h_i)||^2 (x centred, of length 1), and
    L_T = weighted mean of max(0, margin + ||h_i - h_j||^2 - ||h_i - h_k||^2).

    j is where a random walk over nearest neighbours takes i; k is every other item of the batch. s being how much two
    items' walks meet (`walk_profiles`, cut off at 0), w_ijk = s_ij (1 - s_ik): a far item counts the less the likelier
    it belongs to the same cluster, so that clusters stay together. Unweighted: w = 1. Each epoch moves the network with
    C and b fixed, after C and b were fitted to the network as it was (words: means; codes: nearest words).

    `neighbors` int64 `(num_items, num_neighbors)`; `partners` int64 `(num_items,)`: j of every item in this epoch.
    """

    module: Autoencoder

    def __init__(
        self, hasher: CodedNetwork, network: Autoencoder, features: NDArray[np.float32], workers: Workers
    ) -> None:
        settings = hasher.typed_settings
        plan = RunPlan(
            seed=settings.seed,
            num_epochs=settings.num_epochs,
            rate=lambda progress: settings.rate * cosine_rate(progress, warmup=0.05),
            workers=workers,
        )
        optimizer = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
        super().__init__(network, optimizer, plan)
        self._hasher, self.settings, self._features = hasher, settings, features
        with torch.no_grad():
            self._prepared = network.prepare(feature_tensor(features).to(workers.device)).cpu()
        self.neighbors = np.zeros((len(features), 0), np.int64)
        self._profiles = torch.zeros(len(features), 0)
        if settings.triplet != "none":
            self.neighbors = nearest_items(self._prepared.numpy(), settings.num_neighbors)
        if settings.triplet == "weighted":
            rng = np.random.default_rng(settings.seed)
            profiles = walk_profiles(
                self.neighbors, num_steps=settings.num_steps, width=settings.profile_width, rng=rng
            )
            self._profiles = torch.from_numpy(profiles)
        self.partners = np.zeros(0, np.int64)
        self._books: ProductCodebooks | None = None
        self._codes = np.zeros((0, hasher.num_codebooks), np.uint8)
        self._coded = torch.zeros(0)

    def run_epoch(self, epoch: int) -> dict[str, float]:
        if epoch >= int(self.settings.pretraining * self.num_epochs):
            self._update_codes()
        return super().run_epoch(epoch)

    def _update_codes(self) -> None:
        """Words and codes that suit the network as it is; the first time from k-means."""
        if self._books is None:
            if self.settings.rotation:
                self._rotate()
            rows = forward_rows(self.module, self._features)
            self._books = self._new_codebooks(rows)
            self._codes = self._books.assign(rows)
        else:
            rows = forward_rows(self.module, self._features)
            self._books, self._codes = refined_codebooks(
                self._books, rows, self._codes, num_iterations=self.settings.num_lloyd
            )
        self._keep_coded()

    def _rotate(self) -> None:
        """Turn the code layer by the rotation that OPQ finds for it, within the network's own weights."""
        rows = forward_rows(self.module, self._features)
        rotation, _, errors = rotate_and_code(
            rows,
            np.eye(rows.shape[1]),
            num_codebooks=self._hasher.num_codebooks,
            num_iterations=_ROTATION_STEPS,
            seed=self.settings.seed,
        )
        logger.info("deepquan: rotation takes the mean squared error from %.6g to %.6g", errors[0], errors[-1])
        self.module.rotate(torch.from_numpy(rotation).float().to(self.plan.workers.device))

    def _new_codebooks(self, rows: NDArray[np.float32]) -> ProductCodebooks:
        return ProductCodebooks.fit(
            rows, num_codebooks=self._hasher.num_codebooks, num_iterations=_KMEANS_STEPS, seed=self.settings.seed
        )

    def _keep_coded(self) -> None:
        if self._books is not None:
            self._coded = torch.from_numpy(self._books.reconstruct(self._codes))

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        """Shuffled batches; the item that each is paired with in this epoch is drawn first."""
        num_items, settings = len(self._prepared), self.settings
        if settings.triplet != "none":
            lengths = 2 ** np.arange(settings.num_steps.bit_length())
            self.partners = walk_ends(self.neighbors, rng.choice(lengths, num_items), rng)
        return shuffled_batches(num_items, settings.batch_size, rng)

    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        settings, device = self.settings, self.plan.workers.device
        seen = rows
        if settings.triplet != "none":
            seen = torch.cat([rows, torch.from_numpy(self.partners[rows.numpy()])])
        prepared = self._prepared[seen].to(device)
        codes = self.module.encode(prepared)
        parts = {"manifold": (prepared - self.module.decode(codes)).square().sum(dim=1).mean()}
        loss = settings.manifold_weight * parts["manifold"]
        if settings.triplet != "none":
            parts["triplets"] = self._triplet_loss(codes, seen)
            loss = loss + settings.triplets * parts["triplets"]
        if self._books is not None:
            parts["quantization"] = (codes - self._coded[seen].to(device)).square().sum(dim=1).mean()
            loss = loss + settings.quantization * parts["quantization"]
        return {"loss": loss, **parts}

    def _triplet_loss(self, codes: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """First half of the rows: anchors; second half: their partners; far items are all others of the batch."""
        anchors, partners = codes.chunk(2)
        near = (anchors - partners).square().sum(dim=1)
        own, paired = seen.chunk(2)
        weights = (seen[None, :] != own[:, None]) & (seen[None, :] != paired[:, None])
        weights = weights.to(codes.device, codes.dtype)
        if self.settings.triplet == "weighted":
            weights = weights * self._triplet_weights(seen).to(codes.device)
        return weighted_triplet_loss(near, squared_distances(anchors, codes), weights, margin=self.settings.margin)

    def _triplet_weights(self, seen: torch.Tensor) -> torch.Tensor:
        """w_ijk = s_ij (1 - s_ik), `(num_anchors, num_seen)`."""
        own, paired = self._profiles[seen].chunk(2)
        similar_near = (own * paired).sum(dim=1).clamp(0, 1)
        similar_far = (own @ self._profiles[seen].T).clamp(0, 1)
        return similar_near[:, None] * (1 - similar_far)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Weights, optimizer, and once there are codebooks `words` and `codes`."""
        state = super().state()
        if self._books is not None:
            state |= {"words": self._books.to_array(), "codes": self._codes.copy()}
        return state

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        super().load_state(state)
        if "words" in state:
            self._books = ProductCodebooks.from_array(np.asarray(state["words"], np.float32), self.settings.code_width)
            self._codes = np.array(state["codes"], np.uint8)
            self._keep_coded()

    def publish(self) -> None:
        rows = forward_rows(self.module, self._features)
        books = self._new_codebooks(rows) if self._books is None else self._books
        books, _ = refined_codebooks(books, rows, books.assign(rows), num_iterations=_FINAL_LLOYD_STEPS)
        self._hasher.take(self.module, books)
