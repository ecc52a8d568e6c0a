"""Training of SPDAQ: rounds of network, codebooks and codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import TrainingDiverged
from operators.hashers.database_fit import SampledSide
from operators.hashers.quantized_database import QuantizedDatabase
from operators.hashers.similarity_quantization_settings import SimilarityQuantizationSettings
from operators.networks.picture_augmentation import shifted_and_flipped
from operators.training.batch_order import shuffled_batches
from operators.training.learning_rate import cosine_rate
from operators.training.network_run import Losses, NetworkRun, RunPlan, feature_tensor
from operators.training.workers import Workers

_OUTPUT_ROWS = 1000


class TrainedQuantizer(Protocol):
    """What the run needs of the method that it trains."""

    @property
    def typed_settings(self) -> SimilarityQuantizationSettings: ...

    def take(self, network: torch.nn.Module, num_dims: int, database: QuantizedDatabase) -> None:
        """Encode with these from now on."""


class SimilarityQuantizationRun(NetworkRun):
    """One round: sampled items, one pass of the network over them with the database fixed, then codebooks and codes."""

    def __init__(
        self,
        hasher: TrainedQuantizer,
        network: torch.nn.Module,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        workers: Workers,
    ) -> None:
        settings = hasher.typed_settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            classifier = torch.nn.Linear(settings.width, labels.shape[1]).to(workers.device)
        module = torch.nn.ModuleDict({"network": network, "classifier": classifier})
        optimizer = torch.optim.AdamW(module.parameters(), lr=settings.rate, weight_decay=settings.weight_decay)
        plan = RunPlan(
            seed=settings.seed,
            num_epochs=settings.num_epochs,
            rate=lambda progress: settings.rate * cosine_rate(progress),
            workers=workers,
        )
        super().__init__(module, optimizer, plan)
        self._hasher, self._settings = hasher, settings
        self._features, self._labels = feature_tensor(features), torch.from_numpy(labels)
        self._one_label_each = bool((labels.sum(axis=1) == 1).all())
        self._database = QuantizedDatabase(settings, labels)
        self._sampled_items = np.zeros(0, np.int64)
        self._forms = (torch.zeros(0), torch.zeros(0))

    def run_epoch(self, epoch: int) -> dict[str, float]:
        losses = super().run_epoch(epoch)
        self._database.update(self._sampled_side(), epoch)
        return losses

    def batches(self, epoch: int, rng: np.random.Generator) -> Iterable[NDArray[np.int64]]:
        """Batches of this round's items; what their losses need of the database is summed up first."""
        settings = self._settings
        items = rng.permutation(len(self._features))[: settings.num_sampled].astype(np.int64)
        self._sampled_items = items
        if settings.variant == "LL":
            self._database.code_sampled(self._sampled_side())
        quadratic, linear = self._database.similarity_forms(items)
        device = self.plan.workers.device
        self._forms = (torch.from_numpy(quadratic).float().to(device), torch.from_numpy(linear).float().to(device))
        return [items[rows] for rows in shuffled_batches(len(items), settings.batch_size, rng)]

    def losses(self, rows: torch.Tensor, generator: torch.Generator) -> Losses:
        """`similarity` leaves out the mean square of the targets, which no weight changes: it may be negative."""
        settings, device = self._settings, self.plan.workers.device
        batch, labels = self._features[rows].to(device), self._labels[rows].to(device)
        if settings.augment and settings.network != "mlp":
            batch = shifted_and_flipped(batch, max_shift=1, generator=generator)
        outputs = self.module.get_submodule("network")(batch)
        quadratic, linear = self._forms
        own = linear[torch.from_numpy(self._database.patterns.of_item[rows.numpy()]).to(device)]
        similarity = ((outputs @ quadratic) * outputs).sum(dim=1).mean() - 2 * (outputs * own).sum(dim=1).mean()
        coded = torch.from_numpy(self._database.vectors[rows.numpy()]).to(device)
        tie = (outputs - coded).square().sum(dim=1).mean()
        classification = self._classification(self.module.get_submodule("classifier")(outputs), labels)
        weight = 0.0 if settings.variant == "nC" else settings.classification
        loss = similarity + settings.tie * tie + weight * classification
        return {"loss": loss, "similarity": similarity, "tie": tie, "classification": classification}

    def _classification(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross-entropy for one label per item, binary cross-entropy per label for several."""
        if self._one_label_each:
            return torch.nn.functional.cross_entropy(logits, labels)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

    def _sampled_side(self) -> SampledSide:
        """This round's items with the network's present outputs. Raises `TrainingDiverged` for NaN and infinity."""
        network, parts = self.module.get_submodule("network"), []
        network.eval()
        with torch.inference_mode():
            for start in range(0, len(self._sampled_items), _OUTPUT_ROWS):
                rows = torch.from_numpy(self._sampled_items[start : start + _OUTPUT_ROWS])
                parts.append(network(self._features[rows].to(self.plan.workers.device)).double().cpu().numpy())
        vectors = np.concatenate(parts)
        if not np.isfinite(vectors).all():
            raise TrainingDiverged("network outputs", "NaN or infinity")
        return SampledSide(items=self._sampled_items, vectors=vectors)

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {**super().state(), **self._database.state()}

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._database.load_state(state)
        super().load_state(state)

    def publish(self) -> None:
        self._hasher.take(self.module.get_submodule("network"), self._features.shape[1], self._database)
