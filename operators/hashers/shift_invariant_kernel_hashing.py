"""`ShiftInvariantKernelHashing`: SKLSH (Raginsky and Lazebnik, "Locality-sensitive binary codes from shift-invariant
kernels", NIPS 2009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.hashers.learned_tensors import require_tensors
from operators.hashers.method_settings import MethodSettings, whole
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows

_SAMPLE_QUERIES = 500
_SAMPLE_ITEMS = 10_000


@dataclass(frozen=True, kw_only=True)
class ShiftInvariantKernelSettings(MethodSettings):
    """`num_neighbors`: the kernel is as wide as the mean distance to that many nearest items (its width decides
    everything: much narrower, and all items are equally far apart)."""

    num_neighbors: int = whole(50, minimum=1, maximum=5_000)


@dataclass(frozen=True, eq=False)
class _Learned:
    projection: ExactProjection
    phases: NDArray[np.float32]
    half_widths: NDArray[np.float32]


class ShiftInvariantKernelHashing(SettingsHasher[ShiftInvariantKernelSettings]):
    """Bits are the signs of cos(w x + b) + t: w from N(0, gamma I), b uniform in [0, 2 pi], t uniform in [-1, 1].

    gamma = 1 / (mean distance to the `num_neighbors` nearest items)^2, measured on a seeded sample: Hamming
    distance then follows a Gaussian kernel of that width.
    """

    method: ClassVar[str] = "sklsh"
    settings_type = ShiftInvariantKernelSettings
    _learned: _Learned | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        rng = np.random.default_rng(self._settings.seed)
        width = mean_neighbor_distance(features, self._settings.num_neighbors, rng)
        directions = rng.standard_normal((self.num_bits, features.shape[1])).T / width
        phases = rng.uniform(0, 2 * np.pi, self.num_bits)
        # cos(a) >= -t exactly where a is within arccos(-t) of a multiple of 2 pi.
        half_widths = np.arccos(-rng.uniform(-1, 1, self.num_bits))
        mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        projection = ExactProjection(mean, np.ascontiguousarray(directions, dtype=np.float32))
        self._learned = _Learned(projection, phases.astype(np.float32), half_widths.astype(np.float32))

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        learned = self._fitted()
        turns = (learned.projection.project(features) + learned.phases) / (2 * np.pi)
        return BinaryCodes.from_bits(np.abs(turns - np.rint(turns)) * (2 * np.pi) <= learned.half_widths)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean`, `projection` float32 `(num_dims, num_bits)`, `phases` and `half_widths` float32 `(num_bits,)`, in
        radians."""
        learned = self._fitted()
        return {**learned.projection.tensors(), "phases": learned.phases, "half_widths": learned.half_widths}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        width = (self.num_bits,)
        shapes = {"mean": (None,), "projection": (None, *width), "phases": width, "half_widths": width}
        known = require_tensors(self.method, tensors, shapes)
        projection = ExactProjection(known["mean"], known["projection"])
        self._learned = _Learned(projection, known["phases"], known["half_widths"])

    def _fitted(self) -> _Learned:
        if self._learned is None:
            raise NotFitted(self.method)
        return self._learned


def mean_neighbor_distance(features: NDArray[np.float32], num_neighbors: int, rng: np.random.Generator) -> float:
    """Mean Euclidean distance of sampled items to their `num_neighbors` nearest of a sample; self left out.

    Raises `InvalidSetting` when there are not more items than neighbours, or when they are all the same.
    """
    if len(features) <= num_neighbors:
        raise InvalidSetting("sklsh.num_neighbors", str(num_neighbors), f"fewer than the {len(features)} items")
    items = features[rng.permutation(len(features))[:_SAMPLE_ITEMS]].astype(np.float64)
    queries = items[:_SAMPLE_QUERIES]
    squared = (queries**2).sum(1)[:, None] - 2 * queries @ items.T + (items**2).sum(1)[None, :]
    squared[np.arange(len(queries)), np.arange(len(queries))] = np.inf
    nearest = np.partition(squared, num_neighbors - 1, axis=1)[:, :num_neighbors]
    distance = float(np.sqrt(np.maximum(nearest, 0)).mean())
    if distance == 0:
        raise InvalidSetting("sklsh.fit", "items that are all the same", "features that vary")
    return distance
