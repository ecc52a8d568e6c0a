"""The hand-written tag reader agrees with Pillow's full EXIF reader and survives any damage."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from operators.decoders.exif_orientation import exif_orientation, swaps_sides, upright

PREFIXES = (b"Exif\0\0", b"")


def exif_block(order: str, entries: list[tuple[int, int, int]]) -> bytes:
    """TIFF header and one directory of (tag, type, value) entries, each of count one."""
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, len(entries))
    for tag, field_type, value in entries:
        block += struct.pack(order + "HHI", tag, field_type, 1)
        block += struct.pack(order + ("HH" if field_type == 3 else "I"), *([value, 0] if field_type == 3 else [value]))
    return block + bytes(4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("field_type", [3, 4])
def test_every_orientation_in_every_notation(orientation: int, prefix: bytes, order: str, field_type: int) -> None:
    entries = [(0x0100, 4, 640), (0x0112, field_type, orientation), (0x0128, 3, 2)]
    assert exif_orientation(prefix + exif_block(order, entries)) == orientation


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    orientation=st.one_of(st.none(), st.integers(0, 12)),
    software=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
    width=st.integers(0, 70_000),
)
def test_agrees_with_pillow(orientation: int | None, software: str, width: int) -> None:
    exif = Image.Exif()
    exif[0x0131], exif[0x0100] = software, width
    if orientation is not None:
        exif[0x0112] = orientation
    reread = Image.Exif()
    reread.load(exif.tobytes())
    expected = reread.get(0x0112, 1)
    assert exif_orientation(exif.tobytes()) == (expected if 1 <= expected <= 8 else 1)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(start=st.sampled_from([b"", b"Exif\0\0", b"II*\0", b"MM\0*", b"MM\0*\0\0\0\x08"]), rest=st.binary(max_size=80))
def test_damage_gives_some_orientation_and_never_raises(start: bytes, rest: bytes) -> None:
    assert exif_orientation(start + rest) in range(1, 9)


@pytest.mark.parametrize("length", range(len(exif_block("<", [(0x0112, 3, 6)])) - 4))
def test_a_directory_cut_short_counts_as_upright(length: int) -> None:
    assert exif_orientation(exif_block("<", [(0x0112, 3, 6)])[:length]) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_swaps_sides_exactly_when_it_says_so(orientation: int) -> None:
    turned = upright(Image.new("L", (3, 2)), orientation)
    assert turned.size == ((2, 3) if swaps_sides(orientation) else (3, 2))
