"""The declared size equals the one Pillow finds, and damage never raises."""

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from operators.decoders.canvas_size import gif_canvas_size, webp_canvas_size
from tests.media_samples import animated_samples, bombs, encoded, four_corners, huge_gif


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    variant=st.sampled_from([{"quality": 50}, {"lossless": True}, {"quality": 50, "exif": b"Exif\0\0MM\0*"}]),
)
def test_webp_size_is_the_pictures_size(width: int, height: int, variant: dict[str, object]) -> None:
    assert webp_canvas_size(encoded(four_corners(width, height), "WEBP", method=0, **variant)) == (width, height)


def test_animated_webp_declares_its_canvas() -> None:
    assert webp_canvas_size(animated_samples()["webp"]) == (48, 32)
    assert webp_canvas_size(bombs()["webp"]) == (16_383, 16_383)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(width=st.integers(1, 300), height=st.integers(1, 300), comment=st.binary(max_size=600))
def test_gif_size_is_the_pictures_size(width: int, height: int, comment: bytes) -> None:
    assert gif_canvas_size(encoded(four_corners(width, height).quantize(16), "GIF", comment=comment)) == (width, height)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(screen=st.tuples(*[st.integers(1, 99)] * 2), frame=st.tuples(*[st.integers(1, 99)] * 2))
def test_gif_screen_grows_to_hold_the_first_frame_as_pillow_does(
    screen: tuple[int, int], frame: tuple[int, int]
) -> None:
    data = huge_gif(screen=screen, frame=frame)
    assert gif_canvas_size(data) == Image.open(BytesIO(data)).size


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + b"\x21\xfe\xff", b"\x2c" * 40]
)
def test_damaged_gif_headers_do_not_raise(data: bytes) -> None:
    width, height = gif_canvas_size(data)
    assert width >= 0
    assert height >= 0


def test_a_webp_without_a_known_first_chunk_has_no_size() -> None:
    assert webp_canvas_size(b"RIFF\x00\x00\x00\x00WEBPALPH" + bytes(40)) == (0, 0)
    assert webp_canvas_size(b"RIFF") == (0, 0)
