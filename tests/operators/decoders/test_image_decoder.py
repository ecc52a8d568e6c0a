"""Every format, mode and orientation gives the same picture, squashed to a square or as a thumbnail."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from operators.decoders.image_decoder import DecodeLimits, decode_image, decode_thumbnail
from operators.errors import InvalidSetting, MediaTooLarge
from tests.media_samples import (
    HEIGHT,
    WIDTH,
    animated_samples,
    cmyk_jpeg,
    encoded,
    four_corners,
    gray_16_bit_png,
    rotated,
    samples_by_format,
)

LOSSLESS = ("png", "png-alpha", "webp-lossless", "bmp")


def expected_square(side: int) -> NDArray[np.int16]:
    return np.asarray(four_corners().resize((side, side), Image.Resampling.BILINEAR)).astype(np.int16)


@pytest.mark.parametrize("name", samples_by_format())
@pytest.mark.parametrize("side", [8, 16, 33, 100])
def test_every_format_gives_the_same_picture(name: str, side: int) -> None:
    decoded = decode_image(samples_by_format()[name], side=side)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.shape == (side, side, 3)
    assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
    assert decoded.media_type == f"image/{name.split('-')[0]}"
    differences = np.abs(decoded.pixels - expected_square(side))
    assert differences.max() <= (2 if name in LOSSLESS else 24)
    assert differences.mean() <= 4


@pytest.mark.parametrize("name", animated_samples())
def test_the_first_frame_of_an_animation_counts(name: str) -> None:
    differences = np.abs(decode_image(animated_samples()[name], side=16).pixels - expected_square(16))
    assert differences.mean() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_photos_are_turned_upright(orientation: int, file_format: str) -> None:
    data = rotated(orientation, file_format)
    decoded = decode_image(data, side=16)
    assert (decoded.width, decoded.height) == (WIDTH, HEIGHT)
    assert np.abs(decoded.pixels - expected_square(16)).max() <= 16
    thumbnail = Image.open(BytesIO(decode_thumbnail(data, max_side=24)))
    assert thumbnail.size == (24, 16)
    red, _, _ = thumbnail.convert("RGB").resize((3, 2)).split()
    assert red.getpixel((0, 0)) > red.getpixel((0, 1)) + 50  # type: ignore[operator]  # top left is red


@pytest.mark.parametrize("ink", [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)])
def test_cmyk_ink_is_subtracted_from_white(ink: tuple[int, int, int, int]) -> None:
    cyan, magenta, yellow, black = ink
    expected = [max(0, 255 - black - color) for color in (cyan, magenta, yellow)]
    np.testing.assert_allclose(decode_image(cmyk_jpeg(ink), side=4).pixels[1, 1], expected, atol=3)


def test_16_bit_gray_keeps_its_range_and_its_transparent_value() -> None:
    values = np.array([[0, 0x1234], [0x8000, 0xFFFF]], dtype=np.uint16)
    gray = decode_image(gray_16_bit_png(values), side=2).pixels[:, :, 0]
    np.testing.assert_array_equal(gray, [[0, 0x12], [0x80, 0xFF]])
    gray = decode_image(gray_16_bit_png(values, transparent=0x1234), side=2).pixels[:, :, 0]
    np.testing.assert_array_equal(gray, [[0, 0xFF], [0x80, 0xFF]])


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "WEBP"])
def test_transparent_areas_become_white(file_format: str) -> None:
    image = Image.new("RGBA", (8, 8), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 8, 4))
    settings_of_format = {"lossless": True} if file_format == "WEBP" else {}
    pixels = decode_image(encoded(image, file_format, **settings_of_format), side=8).pixels
    assert (pixels[:4] == 255).all()
    assert (pixels[4:] == (200, 0, 0)).all()


@pytest.mark.parametrize(
    ("mode", "file_format"), [("1", "PNG"), ("L", "JPEG"), ("P", "PNG"), ("LA", "PNG"), ("P", "BMP")]
)
def test_gray_and_palette_pictures(mode: str, file_format: str) -> None:
    image = four_corners().convert("L").convert(mode)
    expected = np.asarray(image.convert("L").resize((12, 8), Image.Resampling.BILINEAR)).astype(np.int16)
    pixels = decode_image(encoded(image.resize((12, 8), Image.Resampling.NEAREST), file_format), side=12).pixels
    assert (pixels == pixels[:, :, :1]).all()
    assert abs(float(pixels.mean()) - float(expected.mean())) < 12


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (3, 2_000), (1, 9_000)])
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_thin_pictures(size: tuple[int, int], file_format: str) -> None:
    data = encoded(Image.new("RGB", size, (90, 120, 150)), file_format)
    np.testing.assert_allclose(decode_image(data, side=32).pixels, np.full((32, 32, 3), (90, 120, 150)), atol=4)
    thumbnail = Image.open(BytesIO(decode_thumbnail(data, max_side=64)))
    assert max(thumbnail.size) == min(64, max(size))
    assert min(thumbnail.size) >= 1


def test_a_picture_of_the_wanted_size_is_not_resampled() -> None:
    noise = np.random.default_rng(7).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode_image(encoded(Image.fromarray(noise), "BMP"), side=28).pixels, noise)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(width=st.integers(40, 900), height=st.integers(40, 900), side=st.integers(8, 64), seed=st.integers(0, 9))
def test_scaled_jpeg_decoding_stays_close_to_full_decoding(width: int, height: int, side: int, seed: int) -> None:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    data = encoded(image, "JPEG", quality=90)
    slow = Image.open(BytesIO(data)).resize((side, side), Image.Resampling.BILINEAR)
    differences = np.abs(decode_image(data, side=side).pixels - np.asarray(slow).astype(np.int16))
    assert differences.mean() < 1.5


@settings(max_examples=30, deadline=None, derandomize=True)
@given(width=st.integers(1, 300), height=st.integers(1, 300), max_side=st.integers(1, 400))
def test_thumbnails_keep_the_aspect_and_never_grow(width: int, height: int, max_side: int) -> None:
    data = encoded(four_corners(width, height), "BMP")
    got_width, got_height = Image.open(BytesIO(decode_thumbnail(data, max_side=max_side))).size
    scale = min(1, max_side / max(width, height))
    assert max(got_width, got_height) == min(max_side, max(width, height))
    assert abs(got_width - width * scale) <= 1
    assert abs(got_height - height * scale) <= 1


def test_a_thumbnail_carries_no_metadata_along() -> None:
    exif = Image.Exif()
    exif[0x010F] = "secret"
    source = encoded(four_corners(), "JPEG", comment=b"secret", exif=exif, icc_profile=b"secret" * 40)
    assert source.count(b"secret") == 42
    assert b"secret" not in decode_thumbnail(source, max_side=16)


def test_same_bytes_give_the_same_pixels_in_any_thread() -> None:
    names = sorted(samples_by_format()) * 6
    alone = {name: decode_image(data, side=24).pixels.tobytes() for name, data in samples_by_format().items()}
    with ThreadPoolExecutor(4) as threads:
        together = threads.map(lambda name: decode_image(samples_by_format()[name], side=24).pixels.tobytes(), names)
        assert list(together) == [alone[name] for name in names]


def test_the_byte_cap_is_exact() -> None:
    data = samples_by_format()["jpeg"]
    assert decode_image(data, side=8, limits=DecodeLimits(max_bytes=len(data))).width == WIDTH
    with pytest.raises(MediaTooLarge, match=r"bytes, the limit is [\d,]+; raise decode\.max_bytes"):
        decode_image(data, side=8, limits=DecodeLimits(max_bytes=len(data) - 1))


@pytest.mark.parametrize("field", ["max_bytes", "max_pixels"])
def test_limits_must_be_positive(field: str) -> None:
    with pytest.raises(InvalidSetting, match=rf"decode\.{field} = 0"):
        DecodeLimits(**{field: 0})


def test_sides_must_be_positive() -> None:
    with pytest.raises(InvalidSetting, match="side = 0: expected a whole number of at least 1"):
        decode_image(samples_by_format()["png"], side=0)
    with pytest.raises(InvalidSetting, match="max_side = -1"):
        decode_thumbnail(samples_by_format()["png"], max_side=-1)
