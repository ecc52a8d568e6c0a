"""Pixels as features."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.pixel_features import PixelFeatures


def test_colour_is_scaled_to_one_in_pixel_order() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    pixels[0, 1, 1, 2] = 255
    features = PixelFeatures(side=2).extract(pixels)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[0], np.array([*range(11), 255], dtype=np.float32) / np.float32(255))


def test_gray_keeps_brightness_only() -> None:
    pixels = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    pixels[0, 0, 1] = 51
    np.testing.assert_allclose(PixelFeatures(side=2, gray=True).extract(pixels), [[0, 0.2, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("settings", [{"side": 0}, {"side": "32"}, {"gray": 1}])
def test_impossible_settings(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting, match=f"pixels.{next(iter(settings))}"):
        PixelFeatures(**settings)  # type: ignore[arg-type]
