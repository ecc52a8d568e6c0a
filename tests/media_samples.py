"""Tiny pictures made in memory: every accepted format and pixel mode, and files that are wrong in every usual way."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 48, 32
# Top left red, top right green, bottom left blue, bottom right almost white.
CORNERS = (((230, 40, 40), (40, 200, 60)), ((50, 60, 220), (240, 240, 240)))
_TRANSPOSED_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def four_corners(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """An RGB picture that blends smoothly between four different corner colours, so that any flip is seen."""
    return Image.fromarray(np.array(CORNERS, dtype=np.uint8)).resize((width, height), Image.Resampling.BILINEAR)


def encoded(image: Image.Image, file_format: str, **settings: Any) -> bytes:
    """The picture as the bytes of a file."""
    stream = BytesIO()
    image.save(stream, file_format, **settings)
    return stream.getvalue()


@functools.cache
def samples_by_format() -> dict[str, bytes]:
    """The same colour picture, four_corners(), in every accepted format and the variants that decode differently."""
    image = four_corners()
    return {
        "jpeg": encoded(image, "JPEG", quality=95, subsampling=0),
        "jpeg-progressive": encoded(image, "JPEG", quality=95, progressive=True),
        "png": encoded(image, "PNG"),
        "png-alpha": encoded(image.convert("RGBA"), "PNG"),
        "gif": encoded(image.quantize(256), "GIF"),
        "webp": encoded(image, "WEBP", quality=95),
        "webp-lossless": encoded(image, "WEBP", lossless=True),
        "webp-alpha": encoded(image.convert("RGBA"), "WEBP", quality=95),
        "avif": encoded(image, "AVIF", quality=95, speed=10),
        "bmp": encoded(image, "BMP"),
    }


@functools.cache
def animated_samples() -> dict[str, bytes]:
    """Two frames, the first is four_corners(), the second black."""
    first, second = four_corners(), Image.new("RGB", (WIDTH, HEIGHT))
    return {
        "gif": encoded(first.quantize(256), "GIF", save_all=True, append_images=[second], duration=50, disposal=2),
        "png": encoded(first, "PNG", save_all=True, append_images=[second], duration=50),
        "webp": encoded(first, "WEBP", save_all=True, append_images=[second], duration=50, lossless=True),
        "avif": encoded(first, "AVIF", save_all=True, append_images=[second], duration=50, quality=95, speed=10),
    }


def rotated(orientation: int, file_format: str = "JPEG") -> bytes:
    """four_corners() as a camera stores it: pixels turned, and the EXIF tag that says how to turn them back."""
    image = four_corners()
    if orientation != 1:
        image = image.transpose(_TRANSPOSED_BY_ORIENTATION[orientation])
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = orientation
    settings = {"JPEG": {"subsampling": 0}, "AVIF": {"speed": 10}}.get(file_format, {})
    return encoded(image, file_format, exif=exif, quality=95, **settings)


def cmyk_jpeg(color: tuple[int, int, int, int]) -> bytes:
    """A plain CMYK picture, 16 x 16, ink values 0 (none) to 255."""
    return encoded(Image.new("CMYK", (16, 16), color), "JPEG", quality=100)


def gray_16_bit_png(values: NDArray[np.uint16], transparent: int | None = None) -> bytes:
    """A 16-bit gray PNG of the values, (height, width); `transparent` names one value in a tRNS chunk."""
    height, width = values.shape
    chunks = [] if transparent is None else [(b"tRNS", struct.pack(">H", transparent))]
    rows = (row.astype(">u2").tobytes() for row in values)
    return png_file(width, height, bit_depth=16, color_type=0, rows=rows, extra_chunks=chunks)


def png_file(
    width: int,
    height: int,
    *,
    bit_depth: int,
    color_type: int,
    rows: Iterable[bytes],
    extra_chunks: Iterable[tuple[bytes, bytes]] = (),
) -> bytes:
    """A PNG written by hand, row by row: for pixel formats that Pillow does not write, and for bombs."""
    deflate = zlib.compressobj(9)
    pixels = b"".join(deflate.compress(b"\0" + row) for row in rows) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra_chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_png_chunk, chunks))


def _png_chunk(chunk: tuple[bytes, bytes]) -> bytes:
    name, body = chunk
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


@functools.cache
def bombs() -> dict[str, bytes]:
    """Small files that declare 100 million pixels and more."""
    jpeg = bytearray(samples_by_format()["jpeg"])
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    avif = bytearray(samples_by_format()["avif"])
    extent = avif.index(b"ispe") + 8
    avif[extent : extent + 8] = struct.pack(">II", 16_000, 16_000)
    webp = bytearray(animated_samples()["webp"])
    webp[24:30] = (16_382).to_bytes(3, "little") * 2
    bmp = bytearray(samples_by_format()["bmp"])
    bmp[18:26] = struct.pack("<ii", 30_000, 30_000)
    return {
        "png": png_file(13_000, 13_000, bit_depth=1, color_type=0, rows=(bytes(1_625) for _ in range(13_000))),
        "gif": huge_gif(screen=(12_000, 12_000), frame=(12_000, 12_000)),
        "gif-frame-beyond-screen": huge_gif(screen=(1, 1), frame=(12_000, 12_000)),
        "webp": bytes(webp),
        "avif": bytes(avif),
        "bmp": bytes(bmp),
        "jpeg": bytes(jpeg),
    }


def huge_gif(*, screen: tuple[int, int], frame: tuple[int, int]) -> bytes:
    """A GIF of almost no data whose first frame is to be disposed of, which Pillow allocates while opening."""
    header = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6)
    comment = b"\x21\xfe\x03abc\x00"
    disposal = b"\x21\xf9\x04" + bytes([2 << 2, 5, 0, 0]) + b"\x00"
    descriptor = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0)
    return header + comment + disposal + descriptor + b"\x02\x02\x4c\x01\x00;"


def not_pictures() -> dict[str, bytes]:
    """What lies about under a picture's name: each must be refused."""
    jpeg = samples_by_format()["jpeg"]
    return {
        "zero-bytes": b"",
        "html-error-page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "one-byte": b"\xff",
        "only-magic-bytes": b"\xff\xd8\xff",
        "text-that-begins-like-bmp": b"BMI tables for grown-ups, in kilograms and metres",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "tiff": encoded(four_corners(), "TIFF"),
        "heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(64),
        "riff-sound": b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(32),
        "zeros": bytes(1_000),
        "jpeg-tail-of-zeros": jpeg[: len(jpeg) - 100] + bytes(100),
    }
