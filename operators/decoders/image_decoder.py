"""Picture bytes to a small upright RGB square (for codes) or a small JPEG (for pages).

The hottest code of the write side. Two things make it fast without changing what is seen:

- A JPEG is decoded at 1/2, 1/4 or 1/8 of its size when that still leaves twice the wanted size (`draft`: libjpeg
  drops high frequencies inside the inverse DCT), so most of its pixels are never computed.
- The rest of the way is one antialiased resize with a triangle filter (BILINEAR), chosen because it neither rings when
  a picture shrinks nor shows blocks when it grows, and costs less than BICUBIC. Above three times the wanted size,
  whole blocks of pixels are averaged first (`reducing_gap`).

A picture that already has the wanted size is not resampled at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image, Resampling
from PIL.ImageFile import ImageFile

from operators.decoders.exif_orientation import exif_orientation, swaps_sides, upright
from operators.decoders.magic_bytes import media_type_of
from operators.decoders.picture_file import open_picture
from operators.decoders.rgb_conversion import to_gray_or_rgb
from operators.errors import InvalidSetting, MediaTooLarge, OperatorError, UndecodableMedia

_DRAFT_GAP = 2
_REDUCING_GAP = 3.0
_THUMBNAIL_QUALITY = 85


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise InvalidSetting(name, str(value), "a whole number of at least 1")


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What one picture may cost: `max_bytes` of file, `max_pixels` (width x height) that its header declares.

    Decoding needs at most about 16 bytes of memory per pixel. Pillow itself refuses a GIF or WebP of more than
    178,956,970 pixels whatever is set here. Raises InvalidSetting unless both are positive.
    """

    max_bytes: int = 64 * 2**20
    max_pixels: int = 40_000_000

    def __post_init__(self) -> None:
        _require_positive("decode.max_bytes", self.max_bytes)
        _require_positive("decode.max_pixels", self.max_pixels)


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True, kw_only=True, eq=False)
class DecodedImage:
    """`pixels` uint8 (side, side, 3), RGB, read-only; `width` and `height` of the upright original, in pixels."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    media_type: str


def decode_image(data: bytes, *, side: int, limits: DecodeLimits = DEFAULT_LIMITS) -> DecodedImage:
    """Decode the first frame, turned upright by its EXIF tag and squashed to `side` x `side` pixels.

    The same bytes always give the same pixels. Raises UndecodableMedia for bytes that are not one complete picture in
    a known format, MediaTooLarge before anything is allocated, InvalidSetting for a side below 1.
    """
    _require_positive("side", side)
    media_type = _recognize(data, limits)
    with _malformed_is_undecodable(media_type):
        picture = open_picture(data, media_type, max_pixels=limits.max_pixels)
        width, height = picture.size
        square, orientation = _shrink(picture, (side, side))
        pixels = np.asarray(upright(square, orientation))
    if swaps_sides(orientation):
        width, height = height, width
    return DecodedImage(pixels=pixels, width=width, height=height, media_type=media_type)


def decode_thumbnail(data: bytes, *, max_side: int, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
    """Return the first frame as JPEG bytes, upright, aspect kept, no side above `max_side`; never enlarged.

    Raises as `decode_image` does.
    """
    _require_positive("max_side", max_side)
    media_type = _recognize(data, limits)
    with _malformed_is_undecodable(media_type):
        picture = open_picture(data, media_type, max_pixels=limits.max_pixels)
        small, orientation = _shrink(picture, _fitting_size(picture.size, max_side))
    encoded = BytesIO()
    # Pillow would carry the original's comment over.
    upright(small, orientation).save(encoded, "JPEG", quality=_THUMBNAIL_QUALITY, comment=b"")
    return encoded.getvalue()


def _recognize(data: bytes, limits: DecodeLimits) -> str:
    if len(data) > limits.max_bytes:
        raise MediaTooLarge("bytes", len(data), limits.max_bytes)
    if not data:
        raise UndecodableMedia("empty: 0 bytes")
    media_type = media_type_of(data)
    if media_type is None:
        raise UndecodableMedia(f"not a JPEG, PNG, GIF, WebP, AVIF or BMP picture: it begins with {data[:12]!r}")
    return media_type


@contextmanager
def _malformed_is_undecodable(media_type: str) -> Iterator[None]:
    """Turn what a decoder raises on malformed bytes into UndecodableMedia.

    Decoders raise OSError, SyntaxError, ValueError, RuntimeError, EOFError, struct.error and more, and promise none.
    MemoryError passes: the caps bound what one picture needs, so it means this machine is full, not a bad picture.
    """
    try:
        yield
    except (OperatorError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableMedia(f"{type(error).__name__}: {error}", media_type) from error


def _shrink(picture: ImageFile, size: tuple[int, int]) -> tuple[Image, int]:
    """Decode to RGB of `size`, not yet upright, and the EXIF orientation, which a PNG may store behind its pixels."""
    drafted = picture.draft(None, (size[0] * _DRAFT_GAP, size[1] * _DRAFT_GAP))
    # The scaled size is rounded up; the box keeps that partial last pixel from shifting the picture.
    box = drafted[1] if drafted else None
    picture.load()
    orientation = exif_orientation(picture.info.get("exif", b""))
    small = to_gray_or_rgb(picture).resize(size, Resampling.BILINEAR, box, _REDUCING_GAP)
    return small.convert("RGB"), orientation


def _fitting_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
