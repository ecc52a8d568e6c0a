"""Thumbnails: cropped to the ink, on white, small, and the same bytes every time."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from pipeline.sample_corpus.clip_thumbnail import MAX_SIDE, clip_thumbnail


def _drawing(folder: Path, size: tuple[int, int], box: tuple[int, int, int, int] | None) -> Path:
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    if box is not None:
        ImageDraw.Draw(picture).rectangle(box, fill=(200, 30, 30, 255))
    path = folder / "drawing.png"
    picture.save(path)
    return path


def test_margins_are_cropped_and_the_aspect_is_kept(tmp_path: Path) -> None:
    data = clip_thumbnail(_drawing(tmp_path, (1000, 2000), (300, 600, 699, 799)))
    assert data is not None
    with Image.open(io.BytesIO(data)) as opened:
        picture = opened.convert("RGB")
    margin = 4
    assert picture.size == (MAX_SIDE, (MAX_SIDE - 2 * margin) // 2 + 2 * margin)
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    assert picture.getpixel((MAX_SIDE // 2, 20)) == (200, 30, 30)


@pytest.mark.parametrize(
    ("size", "box"),
    [((200, 200), None), ((200, 200), (10, 10, 12, 190)), ((5000, 3000), (0, 0, 4000, 2000))],
    ids=["blank", "a thin line", "too many pixels"],
)
def test_drawings_without_use_are_left_out(
    tmp_path: Path, size: tuple[int, int], box: tuple[int, int, int, int] | None
) -> None:
    assert clip_thumbnail(_drawing(tmp_path, size, box)) is None


def test_the_same_drawing_gives_the_same_bytes(tmp_path: Path) -> None:
    path = _drawing(tmp_path, (300, 300), (10, 10, 250, 280))
    assert clip_thumbnail(path) == clip_thumbnail(path)
