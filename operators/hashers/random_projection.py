"""`RandomProjection`: locality-sensitive hashing by signs of random projections (Charikar, STOC 2002)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.hashers.method_settings import MethodSettings, switch, whole
from operators.hashers.settings_hasher import SettingsHasher
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.feature_rows import check_feature_rows


@dataclass(frozen=True, kw_only=True)
class RandomProjectionSettings(MethodSettings):
    """`num_bits` counts bits per table."""

    num_tables: int = whole(1, minimum=1, maximum=1024)
    center: bool = switch(True)


class RandomProjection(SettingsHasher[RandomProjectionSettings]):
    """Bits are the signs of R_l (x - mu), with entries of each table's R_l drawn from N(0, 1).

    A code is the `num_tables` table keys of `num_bits` bits one after another: table l is bits
    `l * num_bits` to `(l + 1) * num_bits`. With `center` mu is the mean of the fitted features, else 0 (non-negative
    features such as HOG then share one orthant, and bits are badly balanced). Tables are drawn in order: the first
    eight of sixteen are those that eight would give. Raises `InvalidSetting`.
    """

    method: ClassVar[str] = "lsh"
    settings_type = RandomProjectionSettings
    _projection: ExactProjection | None = None

    @property
    def num_bits(self) -> int:
        """Bits of the whole code: `num_tables` times the bits per table."""
        return self._settings.num_tables * self._settings.num_bits

    @property
    def num_tables(self) -> int:
        return self._settings.num_tables

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        if len(features) == 0:
            raise InvalidSetting("lsh.fit", "0 items", "at least 1")
        num_dims = features.shape[1]
        tables = np.random.default_rng(self._settings.seed).standard_normal((self.num_bits, num_dims))
        mean = features.mean(axis=0, dtype=np.float64) if self._settings.center else np.zeros(num_dims)
        matrix = np.ascontiguousarray(tables.T, dtype=np.float32)
        self._projection = ExactProjection(mean.astype(np.float32), matrix)

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
