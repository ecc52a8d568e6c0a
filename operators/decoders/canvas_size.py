"""The picture size that a GIF or WebP header declares, read without a decoder.

Pillow allocates for these two while it opens the file (the canvas of a WebP; the area that a GIF's first frame
disposes), which is before its caller can look at the size. The other formats allocate nothing until they are loaded.
"""

from __future__ import annotations

_GIF_EXTENSION = 0x21
_GIF_IMAGE = 0x2C
_GIF_TRAILER = 0x3B


def webp_canvas_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels; (0, 0) if the first chunk holds no size (no decoder opens such a file)."""
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return _little(data, 24, 3) + 1, _little(data, 27, 3) + 1
    if chunk == b"VP8L" and len(data) >= 25:
        bits = _little(data, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and len(data) >= 30:
        return _little(data, 26, 2) & 0x3FFF, _little(data, 28, 2) & 0x3FFF
    return 0, 0


def gif_canvas_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels of the screen, enlarged to hold the first frame, as Pillow does."""
    width, height = _little(data, 6, 2), _little(data, 8, 2)
    frame = _first_frame_position(data)
    right = _little(data, frame, 2) + _little(data, frame + 4, 2)
    bottom = _little(data, frame + 2, 2) + _little(data, frame + 6, 2)
    return max(width, right), max(height, bottom)


def _first_frame_position(data: bytes) -> int:
    """Where the first image descriptor's four 16-bit numbers begin; the end of the file if there is none."""
    flags = _little(data, 10, 1)
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while position < len(data):
        block = data[position]
        position += 1
        if block == _GIF_IMAGE:
            return position
        if block == _GIF_TRAILER:
            break
        if block == _GIF_EXTENSION:
            position = _after_sub_blocks(data, position + 1)
    return len(data)


def _after_sub_blocks(data: bytes, position: int) -> int:
    """Skip sub-blocks, each one length byte and that many bytes, up to the one of length zero."""
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return position + 1


def _little(data: bytes, start: int, num_bytes: int) -> int:
    """A little-endian number; bytes past the end count as absent, so nothing is raised here."""
    return int.from_bytes(data[start : start + num_bytes], "little")
