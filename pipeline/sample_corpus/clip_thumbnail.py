"""`clip_thumbnail`: one drawing, cropped to its ink, on white, as a small palette PNG."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import Image, ImageChops

MAX_SIDE = 128
NUM_COLORS = 128
_MARGIN = 4
_MAX_PIXELS = 12_000_000


def clip_thumbnail(png: Path) -> bytes | None:
    """PNG bytes of at most `MAX_SIDE` x `MAX_SIDE` pixels, aspect kept; None if blank, too small or far too large.

    The page-sized transparent margin around many drawings is cropped off: it says nothing about the picture.
    """
    if _num_pixels(png) > _MAX_PIXELS:
        return None
    with Image.open(png) as opened:
        on_white = _flatten(opened)
    ink = (
        ImageChops.difference(on_white, Image.new("RGB", on_white.size, "white")).convert("L").point(_visible).getbbox()
    )
    if ink is None or min(ink[2] - ink[0], ink[3] - ink[1]) < MAX_SIDE // 4:
        return None
    small = on_white.crop(ink)
    small.thumbnail((MAX_SIDE - 2 * _MARGIN, MAX_SIDE - 2 * _MARGIN), Image.Resampling.LANCZOS)
    framed = Image.new("RGB", (small.width + 2 * _MARGIN, small.height + 2 * _MARGIN), "white")
    framed.paste(small, (_MARGIN, _MARGIN))
    return _palette_png(framed)


def _num_pixels(png: Path) -> int:
    # From the header by hand: Pillow itself warns or refuses while opening the largest ones.
    with png.open("rb") as file:
        width, height = struct.unpack(">16x2I", file.read(24))
    return int(width) * int(height)


def _flatten(picture: Image.Image) -> Image.Image:
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _visible(level: int) -> int:
    return 255 if level > 8 else 0


def _palette_png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    palette = picture.quantize(NUM_COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
