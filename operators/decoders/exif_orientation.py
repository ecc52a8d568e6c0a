"""Which way up a photo is: the EXIF orientation tag (CIPA DC-008, tag 0x0112), and nothing else of EXIF."""

from __future__ import annotations

from typing import Literal

from PIL import Image

_ORIENTATION_TAG = 0x0112
_VALUE_BYTES = {3: 2, 4: 4}  # by field type: SHORT, LONG
_ENTRY_BYTES = 12
_BYTE_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_UPRIGHT_BY = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def exif_orientation(exif: bytes) -> int:
    """Return 1..8 from an EXIF block, with or without its "Exif" prefix.

    1 (upright) when the tag is absent, out of range, or the block is damaged: a picture with unreadable metadata is
    shown as stored, as viewers do. Read by hand because Pillow's reader parses every tag and raises on damage.
    """
    tiff = exif.removeprefix(b"Exif\0\0")
    if tiff[:4] not in _BYTE_ORDERS:
        return 1
    order = _BYTE_ORDERS[tiff[:4]]

    def number(start: int, num_bytes: int) -> int:
        return int.from_bytes(tiff[start : start + num_bytes], order)

    first_entry = number(4, 4) + 2
    entries_end = min(first_entry + number(first_entry - 2, 2) * _ENTRY_BYTES, len(tiff) - _ENTRY_BYTES + 1)
    for entry in range(first_entry, entries_end, _ENTRY_BYTES):
        if number(entry, 2) == _ORIENTATION_TAG:
            value = number(entry + 8, _VALUE_BYTES.get(number(entry + 2, 2), 0))
            return value if value in _UPRIGHT_BY else 1
    return 1


def swaps_sides(orientation: int) -> bool:
    """Whether turning the picture upright swaps its width and height."""
    return orientation >= 5


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as it should be seen; the same object when it already is upright."""
    method = _UPRIGHT_BY.get(orientation)
    return image if method is None else image.transpose(method)
