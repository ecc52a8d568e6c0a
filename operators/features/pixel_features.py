"""`PixelFeatures`: the pixels themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.luma import luma
from operators.features.setting_checks import require_bool, require_int, require_names


class PixelFeatures(FeatureExtractor):
    """Pixel values scaled to [0, 1], in row, column, channel order; `gray` keeps brightness only.

    `num_dims` is `side * side * 3`, or `side * side` with `gray`. Raises `InvalidSetting`.
    """

    name: ClassVar[str] = "pixels"

    def __init__(self, *, side: int = 32, gray: bool = False) -> None:
        self._side = require_int("pixels.side", side, minimum=1, maximum=1024)
        self._gray = require_bool("pixels.gray", gray)

    @property
    def side(self) -> int:
        return self._side

    @property
    def num_dims(self) -> int:
        return self._side**2 * (1 if self._gray else 3)

    def settings(self) -> dict[str, Json]:
        return {"side": self._side, "gray": self._gray}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Json]) -> Self:
        require_names(cls.name, settings, {"side", "gray"})
        return cls(
            side=require_int("pixels.side", settings["side"], minimum=1, maximum=1024),
            gray=require_bool("pixels.gray", settings["gray"]),
        )

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.check_pixels(pixels)
        values = luma(pixels) if self._gray else pixels
        return values.reshape(len(pixels), self.num_dims).astype(np.float32) / np.float32(255)
