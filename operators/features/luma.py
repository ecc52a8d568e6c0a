"""Grey pictures: Pillow's "L" formula in whole numbers, so that every machine gets the same bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB uint8 `(..., 3)` -> grey uint8 `(...)`, equal to `PIL.Image.convert("L")` (ITU-R 601-2)."""
    weighted = pixels[..., 0] * np.uint32(19595)
    weighted += pixels[..., 1] * np.uint32(38470)
    weighted += pixels[..., 2] * np.uint32(7471)
    weighted += np.uint32(0x8000)
    weighted >>= np.uint32(16)
    return weighted.astype(np.uint8)
