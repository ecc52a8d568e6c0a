"""A sample of labelled features, a method so small that what it should do is plain, and runs of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import NotFitted, TrainingDiverged
from operators.hashers.method_settings import MethodSettings, whole
from operators.hashers.trainable_hasher import TrainableHasher
from operators.training.batch_order import epoch_generator
from operators.training.training_run import TrainingRun
from operators.training.workers import ALONE, Workers
from pipeline.training.sample_features import SampledFeatures

NUM_DIMS, NUM_CLASSES = 8, 4


def labelled_sample(num_items: int = 120, seed: int = 0) -> SampledFeatures:
    """Items of four classes around four points, classes one after another."""
    rng = np.random.default_rng(seed)
    classes = np.sort(np.arange(num_items) % NUM_CLASSES)
    centres = np.eye(NUM_CLASSES, NUM_DIMS, dtype=np.float32)
    features = (centres[classes] + 0.2 * rng.standard_normal((num_items, NUM_DIMS))).astype(np.float32)
    return SampledFeatures(
        features=features,
        keys=tuple(f"{row}.png" for row in range(num_items)),
        labels=tuple(f"class{number}" for number in classes),
        picture_sha256=tuple(row.to_bytes(32, "big") for row in range(num_items)),
        num_skipped=3,
    )


@dataclass(frozen=True, kw_only=True)
class TinySettings(MethodSettings):
    num_epochs: int = whole(6, minimum=1, maximum=1000)


@dataclass
class Script:
    """What the tiny method is to do: in epoch e its codes tell `quality[e]` classes apart."""

    quality: list[int] = field(default_factory=list)
    diverges_in: int | None = None


class TinyHasher(TrainableHasher[TinySettings]):
    """Bit b is the sign of (x - 0.5) . w_b. The weights of an epoch are random, but let only as many dimensions count
    as the script says; so validation values rise and fall as scripted."""

    method: ClassVar[str] = "tiny"
    settings_type = TinySettings
    script: ClassVar[Script] = Script()
    weights: NDArray[np.float32] | None = None

    def start(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None, *, workers: Workers = ALONE
    ) -> TinyRun:
        return TinyRun(self, features)

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        if self.weights is None:
            raise NotFitted(self.method)
        return BinaryCodes.from_signs((features - np.float32(0.5)) @ self.weights)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        if self.weights is None:
            raise NotFitted(self.method)
        return {"weights": self.weights.copy()}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self.weights = np.array(tensors["weights"], np.float32)


class TinyRun(TrainingRun):
    """Its state is a sum of random draws: leaving out an epoch, or its state, shows in all that follow."""

    def __init__(self, hasher: TinyHasher, features: NDArray[np.float32]) -> None:
        self.hasher = hasher
        self.num_rows = len(features)
        self.epochs_run: list[int] = []
        self.walk = np.zeros((NUM_DIMS, hasher.num_bits), np.float64)
        self.dims = 0

    @property
    def num_epochs(self) -> int:
        return self.hasher.typed_settings.num_epochs

    def run_epoch(self, epoch: int) -> dict[str, float]:
        script = self.hasher.script
        if script.diverges_in == epoch:
            raise TrainingDiverged("loss", "nan")
        self.epochs_run.append(epoch)
        self.walk += epoch_generator(self.hasher.typed_settings.seed, epoch).standard_normal(self.walk.shape)
        self.dims = script.quality[epoch] if script.quality else NUM_CLASSES
        return {"loss": 1.0 / (epoch + 1)}

    def state(self) -> dict[str, NDArray[np.generic]]:
        return {"walk": self.walk.copy(), "dims": np.array([self.dims], np.int64)}

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self.walk = np.array(state["walk"], np.float64)
        self.dims = int(np.asarray(state["dims"], np.int64)[0])

    def publish(self) -> None:
        counted = np.arange(NUM_DIMS) < self.dims
        self.hasher.weights = np.where(counted[:, None], self.walk, 0).astype(np.float32)


def tiny_hasher(**chosen: int) -> TinyHasher:
    return TinyHasher(**{"num_bits": 12, "seed": 0, **chosen})
