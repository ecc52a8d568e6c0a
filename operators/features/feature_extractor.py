"""`FeatureExtractor`: what every feature promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


class FeatureExtractor(ABC):
    """Pixels to feature vectors: uint8 `(batch, side, side, 3)` RGB -> float32 `(batch, num_dims)`.

    An item's features depend on its own pixels only: on the CPU, batch size and order change no bit of them.
    `side` is the picture side in pixels, `num_dims` the feature width. `location_settings` names the settings that say
    where something lies and not what it is: they are no part of a model's fingerprint.
    """

    name: ClassVar[str]
    uses_accelerator: ClassVar[bool] = False
    location_settings: ClassVar[frozenset[str]] = frozenset()

    @property
    @abstractmethod
    def side(self) -> int: ...

    @property
    @abstractmethod
    def num_dims(self) -> int: ...

    @abstractmethod
    def settings(self) -> dict[str, Json]:
        """Plain JSON from which `from_settings` rebuilds an equal extractor."""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Mapping[str, Json]) -> FeatureExtractor:
        """Raises `InvalidSetting` for a missing, unknown or impossible value."""

    @abstractmethod
    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raises `ShapeMismatch` unless `pixels` is uint8 `(batch, side, side, 3)`."""

    def check_pixels(self, pixels: NDArray[np.uint8]) -> None:
        expected = f"uint8 (batch, {self.side}, {self.side}, 3)"
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (self.side, self.side, 3):
            raise ShapeMismatch("pixels", f"{pixels.dtype} {pixels.shape}", expected)
