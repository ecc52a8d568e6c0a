"""Grey by whole numbers equals Pillow's."""

from __future__ import annotations

import numpy as np
from PIL import Image

from operators.features.luma import luma


def test_equals_pillow_on_a_grid_over_all_colours() -> None:
    levels = np.array([*range(0, 256, 5), 254], dtype=np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels, indexing="ij")
    pixels = np.stack([red, green, blue], axis=-1).reshape(len(levels), -1, 3)
    expected = np.asarray(Image.fromarray(pixels).convert("L"))
    np.testing.assert_array_equal(luma(pixels), expected)


def test_grey_stays_as_it_is() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(luma(np.stack([levels] * 3, axis=-1)), levels)
