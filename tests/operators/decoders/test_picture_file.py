"""Opening tries one decoder only and stops at the pixel cap."""

import pytest
from PIL import _imaging

from operators.decoders.picture_file import open_picture
from operators.errors import MediaTooLarge, UndecodableMedia
from tests.media_samples import HEIGHT, WIDTH, bombs, not_pictures, samples_by_format

NUM_PIXELS = WIDTH * HEIGHT


def media_type(name: str) -> str:
    return f"image/{name.split('-')[0]}"


@pytest.mark.parametrize("name", samples_by_format())
def test_the_cap_is_exact(name: str) -> None:
    data = samples_by_format()[name]
    assert open_picture(data, media_type(name), max_pixels=NUM_PIXELS).size == (WIDTH, HEIGHT)
    with pytest.raises(MediaTooLarge, match=r"1,536 pixels, the limit is 1,535; raise decode\.max_pixels"):
        open_picture(data, media_type(name), max_pixels=NUM_PIXELS - 1)


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused_before_its_pixels_are_decoded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def allocate(*_: object) -> None:
        raise AssertionError("pixels were allocated")

    monkeypatch.setattr(_imaging, "new", allocate)
    monkeypatch.setattr(_imaging, "fill", allocate)
    with pytest.raises(MediaTooLarge) as refusal:
        open_picture(bombs()[name], media_type(name), max_pixels=40_000_000)
    assert refusal.value.quantity == "pixels"
    assert refusal.value.given > 100_000_000


@pytest.mark.filterwarnings("error")
def test_pillows_own_warning_about_large_pictures_stays_out() -> None:
    assert open_picture(bombs()["png"], "image/png", max_pixels=200_000_000).size == (13_000, 13_000)


def test_only_the_named_decoder_is_tried() -> None:
    with pytest.raises(SyntaxError, match="not a PNG file"):
        open_picture(samples_by_format()["jpeg"], "image/png", max_pixels=NUM_PIXELS)


def test_a_jpeg_padded_with_zeros_after_a_lost_connection_is_refused() -> None:
    with pytest.raises(UndecodableMedia, match="no end marker: the file is cut short"):
        open_picture(not_pictures()["jpeg-tail-of-zeros"], "image/jpeg", max_pixels=NUM_PIXELS)


def test_a_jpeg_with_bytes_behind_its_end_is_opened() -> None:
    data = samples_by_format()["jpeg"] + bytes(50)
    assert open_picture(data, "image/jpeg", max_pixels=NUM_PIXELS).size == (WIDTH, HEIGHT)
