"""Training of SPDAQ: rounds of network, codebooks and codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import ShapeMismatch
from operators.hashers.database_fit import (
    FitWeights,
    LabelPatterns,
    SampledSide,
    fit_codebooks,
    fit_codes,
    free_vectors,
)
from operators.hashers.similarity_quantization_settings import SimilarityQuantizationSettings
from operators.networks.picture_augmentation import shifted_and_flipped
from operators.quantization.composite_codebooks import (
    CompositeCodebooks,
    code_pair_counts,
    conjugate_gradients,
    sums_by_word,
)
from operators.quantization.lookup_tables import NUM_CODEWORDS
from operators.training.batch_order import epoch_generator, shuffled_batches
from operators.training.gradient_step import gradient_step
from operators.training.learning_rate import cosine_rate, set_learning_rate
from operators.training.network_run import feature_tensor
from operators.training.state_arrays import (
    load_module_arrays,
    load_optimizer_arrays,
    module_arrays,
    optimizer_arrays,
)
from operators.training.training_run import TrainingRun
from operators.training.workers import Workers

_OUTPUT_ROWS = 1000


class TrainedQuantizer(Protocol):
    """What the run needs of the method that it trains."""

    @property
    def typed_settings(self) -> SimilarityQuantizationSettings: ...

    def take(
        self, network: torch.nn.Module, num_dims: int, books: CompositeCodebooks, codes: NDArray[np.uint8] | None
    ) -> None: ...


class SimilarityQuantizationRun(TrainingRun):
    """One round: sampled items, one pass of the network over them with the database fixed, then codebooks and codes."""

    def __init__(
        self,
        hasher: TrainedQuantizer,
        network: torch.nn.Module,
        features: NDArray[np.float32],
        labels: NDArray[np.float32],
        workers: Workers,
    ) -> None:
        self._hasher, self._settings, self._workers = hasher, hasher.typed_settings, workers
        settings = self._settings
        self._features, self._labels = feature_tensor(features), torch.from_numpy(labels)
        self._patterns = LabelPatterns.of(labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            classifier = torch.nn.Linear(settings.width, labels.shape[1]).to(workers.device)
        self._module = torch.nn.ModuleDict({"network": network, "classifier": classifier})
        parameters = self._module.parameters()
        self._optimizer = torch.optim.AdamW(parameters, lr=settings.rate, weight_decay=settings.weight_decay)
        rng = np.random.default_rng(settings.seed)
        num_books = settings.num_bits // 8
        words = rng.standard_normal((num_books, NUM_CODEWORDS, settings.width)) / np.sqrt(num_books * settings.width)
        self._books = CompositeCodebooks(words.astype(np.float32))
        self._codes = rng.integers(0, NUM_CODEWORDS, (len(features), num_books)).astype(np.uint8)
        self._vectors = self._books.decode(self._codes)

    @property
    def num_epochs(self) -> int:
        return self._settings.num_epochs

    def run_epoch(self, epoch: int) -> dict[str, float]:
        rng = epoch_generator(self._settings.seed, epoch)
        items = rng.permutation(len(self._features))[: self._settings.num_sampled].astype(np.int64)
        losses = self._train_network(epoch, items, rng)
        self._update_database(SampledSide(items=items, vectors=self._outputs(items)))
        return losses

    def _train_network(self, epoch: int, items: NDArray[np.int64], rng: np.random.Generator) -> dict[str, float]:
        """One pass over `items`; the sum over the database is a quadratic form and one vector per label pattern."""
        database: NDArray[np.int64] | slice = items if self._settings.variant == "LL" else slice(None)
        vectors = self._vectors[database].astype(np.float64)
        quadratic = torch.from_numpy(vectors.T @ vectors / len(vectors)).float().to(self._workers.device)
        targets = self._patterns.sums(vectors, database) * (self._settings.similarity / len(vectors))
        linear = torch.from_numpy(targets).float().to(self._workers.device)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        batches = [items[rows] for rows in shuffled_batches(len(items), self._settings.batch_size, rng)]
        totals: dict[str, float] = defaultdict(float)
        self._module.train()
        for number, batch in enumerate(batches):
            progress = (epoch + number / len(batches)) / self.num_epochs
            set_learning_rate(self._optimizer, self._settings.rate * cosine_rate(progress))
            losses = self._losses(self._workers.share(torch.from_numpy(batch)), quadratic, linear, generator)
            gradient_step(losses["loss"], self._module, self._optimizer, self._workers)
            for name, value in losses.items():
                totals[name] += float(value.detach()) / len(batches)
        return dict(totals)

    def _losses(
        self, rows: torch.Tensor, quadratic: torch.Tensor, linear: torch.Tensor, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        settings, device = self._settings, self._workers.device
        batch, labels = self._features[rows].to(device), self._labels[rows].to(device)
        if settings.augment and settings.network != "mlp":
            batch = shifted_and_flipped(batch, max_shift=1, generator=generator)
        outputs = self._module["network"](batch)
        own = linear[torch.from_numpy(self._patterns.of_item[rows.numpy()]).to(device)]
        similarity = ((outputs @ quadratic) * outputs).sum(dim=1).mean() - 2 * (outputs * own).sum(dim=1).mean()
        coded = torch.from_numpy(self._vectors[rows.numpy()]).to(device)
        tie = (outputs - coded).square().sum(dim=1).mean()
        classification = self._classification(self._module["classifier"](outputs), labels)
        weight = 0.0 if settings.variant == "nC" else settings.classification
        loss = similarity + settings.tie * tie + weight * classification
        return {"loss": loss, "similarity": similarity, "tie": tie, "classification": classification}

    def _classification(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Cross-entropy for one label per item, binary cross-entropy per label for several."""
        if bool((self._labels.sum(dim=1) == 1).all()):
            return torch.nn.functional.cross_entropy(logits, labels)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

    def _outputs(self, items: NDArray[np.int64]) -> NDArray[np.float64]:
        """The network's outputs for these items, float64 `(num_items, width)`."""
        self._module.eval()
        parts = []
        with torch.inference_mode():
            for start in range(0, len(items), _OUTPUT_ROWS):
                rows = torch.from_numpy(items[start : start + _OUTPUT_ROWS])
                outputs = self._module["network"](self._features[rows].to(self._workers.device))
                parts.append(outputs.double().cpu().numpy())
        return np.concatenate(parts)

    def _update_database(self, sampled: SampledSide) -> None:
        settings, num_items = self._settings, len(self._features)
        weights = FitWeights(
            similarity=settings.similarity,
            tie=settings.tie * num_items,
            ridge=settings.ridge * num_items * len(sampled.items),
        )
        if settings.variant in ("nQ", "LD"):
            self._update_free(sampled, weights)
        elif settings.variant == "LL":
            self._quantize(sampled.vectors, sampled.items)
        else:
            self._books = fit_codebooks(self._books, self._codes, sampled, self._patterns, weights)
            sweeps = settings.num_sweeps
            self._codes = fit_codes(self._books, self._codes, sampled, self._patterns, weights, num_sweeps=sweeps)
            self._vectors = self._books.decode(self._codes)

    def _update_free(self, sampled: SampledSide, weights: FitWeights) -> None:
        """Database vectors in closed form; in LD drawn to their codes, which then follow them."""
        vectors = free_vectors(sampled, self._patterns, weights)
        if self._settings.variant == "LD":
            pull = self._settings.eta * len(sampled.items)
            system = sampled.scatter + (pull + weights.ridge) * np.eye(len(sampled.scatter))
            targets = self._patterns.sums(sampled.vectors, sampled.items) * weights.similarity
            coded = self._books.decode(self._codes).astype(np.float64)
            linear = targets[self._patterns.of_item] + pull * coded
            vectors = np.linalg.solve(system, linear.T).T.astype(np.float64)
        self._quantize(vectors, np.arange(len(vectors)))
        self._vectors = vectors.astype(np.float32)

    def _quantize(self, vectors: NDArray[np.float64], items: NDArray[np.int64]) -> None:
        """Composite quantization of these vectors alone: codes of `items`, then words by least squares."""
        rows = vectors.astype(np.float32)
        self._codes[items] = self._books.encode(rows, num_sweeps=self._settings.num_sweeps)
        own = self._codes[items]
        pairs = code_pair_counts(own, own.shape[1])
        ridge = self._settings.ridge * len(items)
        width = self._settings.width
        found = conjugate_gradients(
            lambda words: words @ pairs + ridge * words,
            sums_by_word(vectors, own),
            self._books.words.reshape(-1, width).T.astype(np.float64),
            num_steps=60,
        )
        words = np.ascontiguousarray(found.T, dtype=np.float32).reshape(self._books.words.shape)
        self._books = CompositeCodebooks(words)
        self._vectors[items] = self._books.decode(own)

    def state(self) -> dict[str, NDArray[np.generic]]:
        own: dict[str, NDArray[np.generic]] = {
            "words": self._books.words.copy(),
            "codes": self._codes.copy(),
            "vectors": self._vectors.copy(),
        }
        return {**module_arrays(self._module, "module"), **optimizer_arrays(self._optimizer, "optimizer"), **own}

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        for name, expected in (("codes", self._codes), ("vectors", self._vectors), ("words", self._books.words)):
            if name not in state or state[name].shape != expected.shape:
                raise ShapeMismatch(
                    f"state {name}", str(state[name].shape) if name in state else "none", str(expected.shape)
                )
        load_module_arrays(self._module, "module", state)
        load_optimizer_arrays(self._optimizer, "optimizer", state)
        self._books = CompositeCodebooks(np.array(state["words"], np.float32))
        self._codes = np.array(state["codes"], np.uint8)
        self._vectors = np.array(state["vectors"], np.float32)

    def publish(self) -> None:
        """With "LL" and "nQ" no codes are learned for all items: they are encoded as any others are."""
        learned = self._codes if self._settings.variant in ("full", "nC", "LD") else None
        self._hasher.take(self._module["network"], self._features.shape[1], self._books, learned)
