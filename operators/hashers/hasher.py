"""`Hasher`: the contract of every hashing method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.features.feature_extractor import Json

CodeKind = Literal["binary", "quantized"]


class Hasher(ABC):
    """Features to binary codes: float32 `(num_items, num_dims)` -> `BinaryCodes` of `num_bits`.

    Deterministic given its seed; on the CPU an item's code does not depend on the batch it is encoded in.
    `settings` and `tensors` are the whole state: `restore(settings, tensors)` encodes bit for bit alike.
    `code_kind` "binary" is searched by Hamming distance, "quantized" by lookup tables (`Quantizer`).
    """

    method: ClassVar[str]
    code_kind: ClassVar[CodeKind] = "binary"
    needs_labels: ClassVar[bool] = False

    @property
    @abstractmethod
    def num_bits(self) -> int: ...

    @abstractmethod
    def fit(self, features: NDArray[np.float32], labels: NDArray[np.int64] | None = None) -> None:
        """Learn from features `(num_items, num_dims)` and, where there are any, labels: one class number per item
        `(num_items,)`, or 0/1 for every item and class `(num_items, num_classes)`.

        Raises `ShapeMismatch`, `NonFiniteFeatures`, and `InvalidSetting`: too few items or dimensions for the bits
        asked, or no labels where `needs_labels`.
        """

    @abstractmethod
    def encode(self, features: NDArray[np.float32]) -> BinaryCodes:
        """Raises `NotFitted`, `ShapeMismatch` and `NonFiniteFeatures`."""

    @property
    def training_codes(self) -> BinaryCodes | None:
        """Codes that the method itself learned for the items given to `fit`, in their order; None for a method whose
        only codes are those of `encode`. Known after `fit` until the process ends; no part of the state."""
        return None

    @abstractmethod
    def settings(self) -> dict[str, Json]: ...

    @abstractmethod
    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned arrays by name. Raises `NotFitted`."""

    @classmethod
    @abstractmethod
    def restore(cls, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Hasher: ...
