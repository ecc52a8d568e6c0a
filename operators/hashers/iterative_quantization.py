"""`IterativeQuantization`: ITQ (Gong and Lazebnik, "Iterative quantization: a Procrustean approach", CVPR 2011)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import NotFitted
from operators.hashers.method_settings import MethodSettings, whole
from operators.hashers.principal_components import varying_components
from operators.hashers.quantization_rotation import learn_rotation
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows

_ROWS_PER_BLOCK = 8192

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IterativeQuantizationSettings(MethodSettings):
    """`num_iterations`: steps of the rotation."""

    num_iterations: int = whole(50, minimum=1, maximum=10_000)


class IterativeQuantization(SettingsHasher[IterativeQuantizationSettings]):
    """Bits are the signs of R^T W^T (x - mu): W the first `num_bits` principal components, R the learned rotation.

    `fit` needs more items than bits, and features that vary in at least `num_bits` directions. Raises
    `InvalidSetting`.
    """

    method: ClassVar[str] = "itq"
    settings_type = IterativeQuantizationSettings
    _projection: ExactProjection | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        mean, components = varying_components(features, self.num_bits, self.method)
        projected = _project(features, mean, components)
        rotation = learn_rotation(projected, num_iterations=self._settings.num_iterations, seed=self._settings.seed)
        logger.info(
            "itq: %d bits, %d items, quantization error %.6g -> %.6g",
            self.num_bits,
            len(features),
            rotation.errors[0],
            rotation.errors[-1],
        )
        self._projection = ExactProjection(
            mean.astype(np.float32), np.ascontiguousarray(components @ rotation.matrix, dtype=np.float32)
        )

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes.from_signs(self._fitted().project(features))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean` float32 `(num_dims,)`, `projection` (components times rotation) float32 `(num_dims, num_bits)`."""
        return self._fitted().tensors()

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self._projection = ExactProjection.from_tensors(tensors, method=self.method, num_bits=self.num_bits)

    def _fitted(self) -> ExactProjection:
        if self._projection is None:
            raise NotFitted(self.method)
        return self._projection


def _project(
    features: NDArray[np.float32], mean: NDArray[np.float64], components: NDArray[np.float64]
) -> NDArray[np.float64]:
    projected = np.empty((len(features), components.shape[1]))
    for start in range(0, len(features), _ROWS_PER_BLOCK):
        block = slice(start, start + _ROWS_PER_BLOCK)
        projected[block] = (features[block] - mean) @ components
    return projected
