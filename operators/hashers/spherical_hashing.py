"""`SphericalHashing`: SpH (Heo et al., "Spherical hashing", CVPR 2012)."""

from __future__ import annotations

import logging
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

_START_ITEMS = 5
_MEAN_TOLERANCE, _SPREAD_TOLERANCE = 0.1, 0.15

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SphericalHashingSettings(MethodSettings):
    """`num_iterations` at most (it may never settle, and has no limit of its own in the paper); learned from at most
    `num_training` items."""

    num_iterations: int = whole(50, minimum=1, maximum=10_000)
    num_training: int = whole(20_000, minimum=8, maximum=10_000_000)


@dataclass(frozen=True, eq=False)
class _Spheres:
    """`offset` float32 `(num_dims,)`; pivots, less the offset, are the columns of `projection`; squared radii."""

    projection: ExactProjection
    squared_radii: NDArray[np.float32]


class SphericalHashing(SettingsHasher[SphericalHashingSettings]):
    """Bit j says whether x lies inside the j-th hypersphere. Each holds half of the training items, each two of them a
    quarter in common (section 3.3); ranked by plain Hamming distance, as the authors' toolbox does.
    """

    method: ClassVar[str] = "sph"
    settings_type = SphericalHashingSettings
    _spheres: _Spheres | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        if len(features) < 8:
            raise InvalidSetting("sph.fit", f"{len(features)} items", "at least 8")
        rng = np.random.default_rng(self._settings.seed)
        sample = features[rng.permutation(len(features))[: self._settings.num_training]].astype(np.float64)
        mean = sample.mean(axis=0).astype(np.float32)
        sample -= mean
        starts = [rng.choice(len(sample), _START_ITEMS, replace=False) for _ in range(self.num_bits)]
        pivots = np.stack([sample[rows].mean(axis=0) for rows in starts])
        pivots = balance_spheres(sample, pivots, self._settings.num_iterations).astype(np.float32)
        projection = ExactProjection(mean, np.ascontiguousarray(pivots.T))
        squared_radii = np.median(squared_distances(sample, pivots.astype(np.float64)), axis=0)
        self._spheres = _Spheres(projection, squared_radii.astype(np.float32))

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        spheres = self._fitted()
        inner = spheres.projection.project(features)
        centred = np.ascontiguousarray(features, dtype=np.float64) - spheres.projection.mean
        own = np.square(centred).sum(axis=1)[:, None]
        pivots = np.square(spheres.projection.matrix.astype(np.float64)).sum(axis=0)
        return BinaryCodes.from_bits(own - 2 * inner + pivots <= spheres.squared_radii)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean`, `projection` (pivots less the mean) float32 `(num_dims, num_bits)`, `squared_radii` float32."""
        spheres = self._fitted()
        return {**spheres.projection.tensors(), "squared_radii": spheres.squared_radii}

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        width = (self.num_bits,)
        shapes = {"mean": (None,), "projection": (None, *width), "squared_radii": width}
        known = require_tensors(self.method, tensors, shapes)
        self._spheres = _Spheres(ExactProjection(known["mean"], known["projection"]), known["squared_radii"])

    def _fitted(self) -> _Spheres:
        if self._spheres is None:
            raise NotFitted(self.method)
        return self._spheres


def squared_distances(rows: NDArray[np.float64], pivots: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 `(num_rows, num_pivots)`."""
    distances: NDArray[np.float64] = (
        np.square(rows).sum(axis=1)[:, None] - 2 * rows @ pivots.T + np.square(pivots).sum(axis=1)
    )
    return np.maximum(distances, 0.0, out=distances)


def balance_spheres(
    sample: NDArray[np.float64], pivots: NDArray[np.float64], num_iterations: int
) -> NDArray[np.float64]:
    """Move pivots until spheres that hold half of the sample each share a quarter, pair by pair.

    Pivots push each other apart where they share more and pull where they share less (eq. 5 and 6), each by the mean
    of its forces. Ends when the shared numbers are within 10 % of a quarter on average, with a spread of at most 15 %.
    """
    quarter = len(sample) / 4
    num_pivots = len(pivots)
    apart = ~np.eye(num_pivots, dtype=bool)
    for iteration in range(num_iterations):
        distances = squared_distances(sample, pivots)
        inside = (distances <= np.median(distances, axis=0)).astype(np.float32)
        shared = (inside.T @ inside).astype(np.float64)
        excess = (shared - quarter)[apart]
        if num_pivots == 1 or (
            np.abs(excess).mean() <= _MEAN_TOLERANCE * quarter and excess.std() <= _SPREAD_TOLERANCE * quarter
        ):
            logger.info("sph: balanced after %d iterations", iteration)
            return pivots
        strength = np.where(apart, 0.5 * (shared - quarter) / quarter, 0.0)
        pivots = pivots + (strength.sum(axis=1)[:, None] * pivots - strength @ pivots) / num_pivots
    logger.info("sph: not balanced after %d iterations; the spheres are those of the last", num_iterations)
    return pivots
