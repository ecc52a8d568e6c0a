"""`IterativeQuantization`: ITQ (Gong and Lazebnik, "Iterative quantization: a Procrustean approach", CVPR 2011)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.features.feature_extractor import Json
from operators.features.setting_checks import require_int, require_names
from operators.hashers.exact_projection import ExactProjection
from operators.hashers.feature_rows import check_feature_rows
from operators.hashers.hasher import Hasher
from operators.hashers.principal_components import principal_components
from operators.hashers.quantization_rotation import learn_rotation

_MAX_SEED = 2**53
# Below this share of the largest variance a direction is rounding noise, and its bit would mean nothing.
_NO_VARIANCE = 1e-10
_ROWS_PER_BLOCK = 8192

logger = logging.getLogger(__name__)


class IterativeQuantization(Hasher):
    """Bits are the signs of R^T W^T (x - mu): W the first `num_bits` principal components, R the learned rotation.

    `fit` needs more items than bits, and features that vary in at least `num_bits` directions. Raises
    `InvalidSetting`.
    """

    method: ClassVar[str] = "itq"

    def __init__(self, *, num_bits: int, seed: int, num_iterations: int = 50) -> None:
        self._num_bits = require_int("itq.num_bits", num_bits, minimum=1, maximum=4096)
        self._seed = require_int("itq.seed", seed, minimum=0, maximum=_MAX_SEED)
        self._num_iterations = require_int("itq.num_iterations", num_iterations, minimum=1, maximum=10_000)
        self._projection: ExactProjection | None = None

    @property
    def num_bits(self) -> int:
        return self._num_bits

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        self._refuse_too_small(*features.shape)
        mean, variances, directions = principal_components(features)
        num_varying = int(np.count_nonzero(variances > _NO_VARIANCE * variances[0])) if variances[0] > 0 else 0
        if num_varying < self._num_bits:
            raise InvalidSetting(
                "itq.num_bits", str(self._num_bits), f"at most {num_varying}, the directions in which features vary"
            )
        components = directions[:, : self._num_bits]
        projected = _project(features, mean, components)
        rotation = learn_rotation(projected, num_iterations=self._num_iterations, seed=self._seed)
        logger.info(
            "itq: %d bits, %d items, quantization error %.6g -> %.6g",
            self._num_bits,
            len(features),
            rotation.errors[0],
            rotation.errors[-1],
        )
        self._projection = ExactProjection(
            mean.astype(np.float32), np.ascontiguousarray(components @ rotation.matrix, dtype=np.float32)
        )

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes.from_signs(self._fitted().project(features))

    def settings(self) -> dict[str, Json]:
        return {"num_bits": self._num_bits, "seed": self._seed, "num_iterations": self._num_iterations}

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean` float32 `(num_dims,)`, `projection` (components times rotation) float32 `(num_dims, num_bits)`."""
        return self._fitted().tensors()

    @classmethod
    def restore(cls, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Self:
        require_names(cls.method, settings, {"num_bits", "seed", "num_iterations"})
        hasher = cls(
            num_bits=require_int("itq.num_bits", settings["num_bits"], minimum=1, maximum=4096),
            seed=require_int("itq.seed", settings["seed"], minimum=0, maximum=_MAX_SEED),
            num_iterations=require_int("itq.num_iterations", settings["num_iterations"], minimum=1, maximum=10_000),
        )
        hasher._projection = ExactProjection.from_tensors(tensors, method=cls.method, num_bits=hasher.num_bits)
        return hasher

    def _refuse_too_small(self, num_items: int, num_dims: int) -> None:
        if self._num_bits > num_dims:
            raise InvalidSetting("itq.num_bits", str(self._num_bits), f"at most {num_dims}, the feature dimensions")
        if num_items <= self._num_bits:
            raise InvalidSetting(
                "itq.num_bits", str(self._num_bits), f"fewer than the {num_items} items to learn from; give more items"
            )

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
