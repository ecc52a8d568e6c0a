"""Every pixel format becomes the colour that a viewer on a white page shows."""

import numpy as np
import pytest
from PIL import Image

from operators.decoders.rgb_conversion import to_gray_or_rgb
from operators.errors import UndecodableMedia


def first_pixel(image: Image.Image) -> tuple[int, ...]:
    converted = to_gray_or_rgb(image)
    assert converted.mode in ("L", "RGB")
    assert converted.size == image.size
    return tuple(int(value) for value in np.asarray(converted.convert("RGB"))[0, 0])


@pytest.mark.parametrize(
    ("mode", "color", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("1", 0, (0, 0, 0)),
        ("L", 77, (77, 77, 77)),
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (0, 100, 255, 128), (127, 177, 255)),
        ("LA", (100, 255), (100, 100, 100)),
        ("LA", (100, 0), (255, 255, 255)),
        ("CMYK", (0, 0, 0, 0), (255, 255, 255)),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0)),
        ("CMYK", (0, 51, 255, 51), (204, 163, 0)),
    ],
)
def test_colours(mode: str, color: float | tuple[int, ...], expected: tuple[int, int, int]) -> None:
    assert first_pixel(Image.new(mode, (2, 3), color)) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("transparency", "expected"), [(None, (9, 8, 7)), (1, (9, 8, 7)), (0, (255,) * 3)])
def test_palette(transparency: int | None, expected: tuple[int, ...]) -> None:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([9, 8, 7, 1, 2, 3])
    if transparency is not None:
        image.info["transparency"] = transparency
    assert first_pixel(image) == expected


def test_palette_with_an_alpha_for_each_colour() -> None:
    image = Image.new("P", (1, 1), 0)
    image.putpalette([0, 100, 255])
    image.info["transparency"] = bytes([128])
    assert first_pixel(image) == pytest.approx((127, 177, 255), abs=1)


@pytest.mark.parametrize(("mode", "color"), [("1", 0), ("L", 0), ("RGB", (1, 2, 3))])
def test_one_colour_named_transparent_becomes_white(mode: str, color: int | tuple[int, int, int]) -> None:
    image = Image.new(mode, (2, 2), color)
    image.info["transparency"] = color
    assert first_pixel(image) == (255, 255, 255)


def test_16_bit_gray_is_scaled_not_clipped() -> None:
    values = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
    gray = np.asarray(to_gray_or_rgb(Image.fromarray(values)))
    np.testing.assert_array_equal(gray, np.repeat(np.arange(256, dtype=np.uint8)[:, None], 256, axis=1))


def test_an_unexpected_pixel_format_is_named() -> None:
    with pytest.raises(UndecodableMedia, match="pixel format F, expected gray"):
        to_gray_or_rgb(Image.new("F", (2, 2)))
