"""`HasherTraining`: the hasher of a request, fitted on its sample, in one go or epoch by epoch."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import create_hasher
from operators.metrics.code_health import CodeHealth, code_health
from pipeline.object_store.object_store import ObjectStore
from pipeline.training.checkpoint_store import CheckpointStore
from pipeline.training.code_gate import check_codes, check_tensors, demands_on_codes
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.fit_request import FitRequest
from pipeline.training.sample_features import SampledFeatures
from pipeline.training.sample_reading import digest_of, feature_identity
from pipeline.training.training_note import TrainingNote

if TYPE_CHECKING:  # torch takes seconds to import, and methods that learn in one go do without
    from operators.hashers.trainable_hasher import TrainableHasher
    from operators.training.workers import Workers
    from pipeline.training.training_loop import TrainingLoop

_HEALTH_ITEMS = 10_000


@dataclass(frozen=True, kw_only=True)
class ModelTarget:
    """Where a model of that name and its checkpoints are stored."""

    catalog: str
    store: ObjectStore
    name: str


@dataclass(frozen=True, kw_only=True)
class TrainingPlace:
    """Where a training runs: `workers` None is one worker on the CPU. Without `target` no checkpoint is written."""

    workers: Workers | None = None
    target: ModelTarget | None = None


def learns_by_epochs(hasher: Hasher) -> bool:
    """Whether it is a `TrainableHasher`; asked without importing that class, and torch with it."""
    return hasattr(hasher, "start")


class HasherTraining:
    """`epochs` fits; then `hasher` is what was asked for, and `lineage` says how it came to be.

    With several workers each has one of these, with equal requests and samples; only the first one's counts.
    """

    def __init__(
        self, request: FitRequest, sample: SampledFeatures, extractor: FeatureExtractor, place: TrainingPlace
    ) -> None:
        self.hasher = new_hasher(request)
        self._request, self._sample, self._place = request, sample, place
        self._labels = sample.class_numbers()
        self._features = feature_identity(extractor)
        self._loop: TrainingLoop | None = None
        self._checkpoints: CheckpointStore | None = None
        self._fit_seconds = 0.0
        self._require_labels()

    def epochs(self) -> Iterator[EpochFigures | TrainingNote]:
        """Fit; notes, and the figures after every epoch, of a method that learns by epochs.

        Raises `InvalidSetting` when method and sample do not go together, `GateFailed` when a loss or a weight is no
        number, what the store of checkpoints raises.
        """
        started = time.perf_counter()
        if learns_by_epochs(self.hasher):
            self._loop = self._new_loop()
            yield from self._loop.epochs()
            self._fit_seconds = sum(figures.seconds for figures in self._loop.history)
        else:
            self.hasher.fit(self._sample.features, self._labels)
            self._fit_seconds = time.perf_counter() - started

    def check(self) -> CodeHealth:
        """The health of the sample's codes (10,000 of them, drawn with the seed). Raises `GateFailed`."""
        check_tensors(self.hasher.tensors())
        rows = np.random.default_rng(self._request.seed).permutation(len(self._sample.keys))[:_HEALTH_ITEMS]
        health = code_health(self.hasher.encode(self._sample.features[rows]))
        gate = self._request.settings.gate
        if gate.enabled:
            classes = len(np.unique(self._labels)) if self.hasher.needs_labels and self._labels is not None else None
            demands = demands_on_codes(gate, num_items=health.num_items, num_bits=health.num_bits, num_classes=classes)
            check_codes(health, demands)
        return health

    def lineage(self, health: CodeHealth) -> dict[str, Json]:
        """Where the data came from, how the training went, and what the codes are like."""
        workers = self._place.workers
        facts: dict[str, Json] = {
            "method": self._request.method,
            "features": self._request.features,
            "source": self._request.source.uri,
            "seed": self._request.seed,
            "num_sampled": len(self._sample.keys),
            "num_skipped": self._sample.num_skipped,
            "data_sha256": self._sample.data_sha256,
            "fit_seconds": self._fit_seconds,
            "num_workers": 1 if workers is None else workers.size,
            "device": "cpu" if workers is None else workers.device,
            "code_health": asdict(health),
            "bitquarry_version": importlib.metadata.version("bitquarry"),
        }
        if self._loop is not None:
            facts["num_threads"] = self._loop.num_threads
            facts["best_epoch"] = self._loop.best_epoch
            facts["num_resumed_epochs"] = self._loop.num_resumed_epochs
            facts["history"] = [figures.to_json() for figures in self._loop.history]
        return facts

    def forget_checkpoints(self) -> None:
        """The model is stored: remove them."""
        if self._checkpoints is not None:
            self._checkpoints.remove()

    def _require_labels(self) -> None:
        if self.hasher.needs_labels and self._labels is None:
            given = f"none for {self._sample.num_unlabelled:,} of {len(self._sample.keys):,} sampled pictures"
            raise InvalidSetting(f"{self._request.method}.labels", given, labels_expected())

    def _new_loop(self) -> TrainingLoop:
        from operators.hashers.trainable_hasher import TrainableHasher
        from operators.training.workers import ALONE
        from pipeline.training.training_loop import LoopSettings, TrainingLoop
        from pipeline.training.validation_slice import ValidationSlice, split_sample

        assert isinstance(self.hasher, TrainableHasher)
        workers, settings, seed = self._place.workers or ALONE, self._request.settings, self._request.seed
        features, labels = self._sample.features, self._labels
        split = split_sample(len(features), labels, share=settings.validation_share, seed=seed)
        own_labels = None if labels is None else labels[split.training]
        run = self.hasher.start(_rows(features, split.training), own_labels, workers=workers)
        self._checkpoints = self._checkpoint_store(self.hasher, workers)
        loop = LoopSettings(
            patience=settings.patience,
            checkpoint_epochs=settings.checkpoint_epochs,
            workers=workers,
            checkpoints=self._checkpoints,
        )
        return TrainingLoop(self.hasher, run, ValidationSlice(features, labels, split, seed=seed), loop)

    def _checkpoint_store(self, hasher: TrainableHasher[Any], workers: Workers) -> CheckpointStore | None:
        target = self._place.target
        if target is None:
            return None
        labels = json.dumps(self._sample.labels, separators=(",", ":"))
        identity: dict[str, Json] = {
            "bitquarry_version": importlib.metadata.version("bitquarry"),
            "method": hasher.method,
            "settings": hasher.settings(),
            "features": self._features,
            "data_sha256": self._sample.data_sha256,
            "labels_sha256": hashlib.sha256(labels.encode()).hexdigest(),
            "validation_share": self._request.settings.validation_share,
            "patience": self._request.settings.patience,
            "num_workers": workers.size,
            "device": workers.device.split(":")[0],
        }
        return CheckpointStore(target.catalog, target.store, target.name, digest_of(identity))


def new_hasher(request: FitRequest) -> Hasher:
    """The hasher of a request, not fitted. Raises `InvalidSetting`."""
    return create_hasher(request.method, num_bits=request.num_bits, seed=request.seed, **request.hasher_settings)


def labels_expected() -> str:
    """What a method that needs labels expects of a source."""
    return "a class for every picture: class folders, or a table or tars with --label-column"


def _rows(features: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Without a copy where all rows are wanted."""
    return features if len(rows) == len(features) else features[rows]
