"""`PcaHashing`: PCAH, signs of the leading principal components (Wang et al., "Semi-supervised hashing for large-scale
search", TPAMI 2012, section 4, without its labels)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import NotFitted
from operators.hashers.method_settings import MethodSettings
from operators.hashers.principal_components import varying_components
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows


class PcaHashing(SettingsHasher[MethodSettings]):
    """Bit j is the sign of the j-th principal component of x - mu. Nothing is drawn at random.

    Cost: one covariance, O(n d^2 + d^3). `fit` raises `InvalidSetting` when features vary in fewer directions than
    bits are asked for.
    """

    method: ClassVar[str] = "pcah"
    settings_type = MethodSettings
    _projection: ExactProjection | None = None

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        mean, components = varying_components(features, self.num_bits, self.method)
        self._projection = ExactProjection(mean.astype(np.float32), np.ascontiguousarray(components, dtype=np.float32))

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes.from_signs(self._fitted().project(features))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean` float32 `(num_dims,)`, `projection` float32 `(num_dims, num_bits)`."""
        return self._fitted().tensors()

    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        self._projection = ExactProjection.from_tensors(tensors, method=self.method, num_bits=self.num_bits)

    def _fitted(self) -> ExactProjection:
        if self._projection is None:
            raise NotFitted(self.method)
        return self._projection
