"""HOG and pixels side by side."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.hog_features import HogFeatures
from operators.features.hog_pixel_features import HogPixelFeatures
from operators.features.pixel_features import PixelFeatures


@pytest.mark.parametrize("gray", [False, True])
def test_both_parts_are_there_in_one_scale(gray: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 28, 28, 3), dtype=np.uint8)
    features = HogPixelFeatures(side=28, num_orientations=4, gray=gray, pixel_weight=2)
    rows = features.extract(pixels)
    gradients = HogFeatures(side=28, num_orientations=4).extract(pixels)
    values = PixelFeatures(side=28, gray=gray).extract(pixels)
    np.testing.assert_allclose(rows[:, : gradients.shape[1]], gradients / 3, rtol=1e-6)
    np.testing.assert_allclose(rows[:, gradients.shape[1] :] ** 2, values * 4 / values.shape[1], rtol=1e-5)
    # A white picture has length `pixel_weight` in its pixels, whatever its size.
    white = features.extract(np.full((1, 28, 28, 3), 255, np.uint8))
    assert np.linalg.norm(white[0, gradients.shape[1] :]) == pytest.approx(2)


@pytest.mark.parametrize("settings", [{"pixel_weight": -1}, {"pixel_weight": "1"}, {"pixel_weight": True}])
def test_impossible_weights(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidSetting, match=r"hog-pixels\.pixel_weight"):
        HogPixelFeatures(**settings)  # type: ignore[arg-type]
