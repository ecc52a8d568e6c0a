from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.sources.bitmap_bytes import bitmap_bytes


@given(st.integers(1, 9), st.integers(1, 9), st.booleans(), st.integers(0, 99))
def test_pixels_come_back(height: int, width: int, color: bool, seed: int) -> None:
    shape = (height, width, 3) if color else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    image = Image.open(io.BytesIO(bitmap_bytes(pixels)))
    assert (image.format, image.size) == ("BMP", (width, height))
    np.testing.assert_array_equal(np.asarray(image.convert("RGB" if color else "L")), pixels)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 4), (1, 2, 2, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected \\(height, width\\)"):
        bitmap_bytes(np.zeros(shape, np.uint8))
