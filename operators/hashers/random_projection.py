"""`RandomProjection`: locality-sensitive hashing by signs of random projections (Charikar, STOC 2002)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, NotFitted
from operators.features.feature_extractor import Json
from operators.features.setting_checks import require_bool, require_int, require_names
from operators.hashers.exact_projection import ExactProjection
from operators.hashers.feature_rows import check_feature_rows
from operators.hashers.hasher import Hasher

_MAX_SEED = 2**53


class RandomProjection(Hasher):
    """Bits are the signs of R_l (x - mu), with entries of each table's R_l drawn from N(0, 1).

    A code is the `num_tables` table keys of `num_bits` bits one after another: table l is bits
    `l * num_bits` to `(l + 1) * num_bits`. With `center` mu is the mean of the fitted features, else 0 (non-negative
    features such as HOG then share one orthant, and bits are badly balanced). Tables are drawn in order: the first
    eight of sixteen are those that eight would give. Raises `InvalidSetting`.
    """

    method: ClassVar[str] = "lsh"

    def __init__(self, *, num_bits: int, seed: int, num_tables: int = 1, center: bool = True) -> None:
        self._bits_per_table = require_int("lsh.num_bits", num_bits, minimum=1, maximum=4096)
        self._seed = require_int("lsh.seed", seed, minimum=0, maximum=_MAX_SEED)
        self._num_tables = require_int("lsh.num_tables", num_tables, minimum=1, maximum=1024)
        self._center = require_bool("lsh.center", center)
        self._projection: ExactProjection | None = None

    @property
    def num_bits(self) -> int:
        """Bits of the whole code: `num_tables` times the bits per table."""
        return self._num_tables * self._bits_per_table

    @property
    def num_tables(self) -> int:
        return self._num_tables

    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        check_feature_rows(features)
        if len(features) == 0:
            raise InvalidSetting("lsh.fit", "0 items", "at least 1")
        num_dims = features.shape[1]
        tables = np.random.default_rng(self._seed).standard_normal((self.num_bits, num_dims))
        mean = features.mean(axis=0, dtype=np.float64) if self._center else np.zeros(num_dims)
        matrix = np.ascontiguousarray(tables.T, dtype=np.float32)
        self._projection = ExactProjection(mean.astype(np.float32), matrix)

    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        return BinaryCodes.from_signs(self._fitted().project(features))

    def settings(self) -> dict[str, Json]:
        return {
            "num_bits": self._bits_per_table,
            "seed": self._seed,
            "num_tables": self._num_tables,
            "center": self._center,
        }

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """`mean` float32 `(num_dims,)`, `projection` float32 `(num_dims, num_bits)`."""
        return self._fitted().tensors()

    @classmethod
    def restore(cls, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Self:
        require_names(cls.method, settings, {"num_bits", "seed", "num_tables", "center"})
        hasher = cls(
            num_bits=require_int("lsh.num_bits", settings["num_bits"], minimum=1, maximum=4096),
            seed=require_int("lsh.seed", settings["seed"], minimum=0, maximum=_MAX_SEED),
            num_tables=require_int("lsh.num_tables", settings["num_tables"], minimum=1, maximum=1024),
            center=require_bool("lsh.center", settings["center"]),
        )
        hasher._projection = ExactProjection.from_tensors(tensors, method=cls.method, num_bits=hasher.num_bits)
        return hasher

    def _fitted(self) -> ExactProjection:
        if self._projection is None:
            raise NotFitted(self.method)
        return self._projection
