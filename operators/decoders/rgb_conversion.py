"""One deterministic 8-bit picture from every pixel format that a decoder may hand over.

Alpha is laid over white. CMYK becomes RGB by Pillow's plain formula, (255 - C)(255 - K)/255. Of 16 bits per channel
the high byte is kept, as libpng and Pillow do for 16-bit colour, so gray 16-bit files agree with colour ones. Colour
profiles and gamma are ignored: the same bytes give the same pixels on every machine.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from operators.errors import UndecodableMedia


def to_gray_or_rgb(image: Image.Image) -> Image.Image:
    """Return the picture in mode "L" or "RGB", same size. Gray stays one channel: cheaper to resize, same result.

    Raises UndecodableMedia for a pixel format that none of the accepted file formats should give.
    """
    if image.mode == "I;16":
        return _gray_from_16_bits(image)
    if image.has_transparency_data:
        return _over_white(image)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "CMYK"):
        return image.convert("RGB")
    raise UndecodableMedia(f"pixel format {image.mode}, expected gray, palette, RGB, CMYK or one of them with alpha")


def _gray_from_16_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    gray = (values >> 8).astype(np.uint8)
    # A PNG may name one gray value as transparent; Pillow applies that to 8-bit pictures only.
    transparent_value = image.info.get("transparency")
    if isinstance(transparent_value, int):
        gray[values == transparent_value] = 255
    return Image.fromarray(gray)


def _over_white(image: Image.Image) -> Image.Image:
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(rgba, mask=rgba)
    return canvas
