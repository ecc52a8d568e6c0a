"""`Hasher`: the contract of every hashing method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.features.feature_extractor import Json


class Hasher(ABC):
    """Features to binary codes: float32 `(num_items, num_dims)` -> `BinaryCodes` of `num_bits`.

    Deterministic given its seed; on the CPU an item's code does not depend on the batch it is encoded in.
    `settings` and `tensors` are the whole state: `restore(settings, tensors)` encodes bit for bit alike.
    """

    method: ClassVar[str]

    @property
    @abstractmethod
    def num_bits(self) -> int: ...

    @abstractmethod
    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        """Learn from features `(num_items, num_dims)`. Raises `ShapeMismatch`, `InvalidSetting` (too few items or
        dimensions for the bits asked) and `NonFiniteFeatures`."""

    @abstractmethod
    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        """Raises `NotFitted`, `ShapeMismatch` and `NonFiniteFeatures`."""

    @abstractmethod
    def settings(self) -> dict[str, Json]: ...

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned arrays by name. Raises `NotFitted`."""

    @classmethod
    @abstractmethod
    def restore(cls, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Hasher: ...
