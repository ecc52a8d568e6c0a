"""What kind of picture is this? Decided by its first bytes, never by a file name."""

from __future__ import annotations

_JPEG_START = b"\xff\xd8\xff"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GIF_SIGNATURES = (b"GIF87a", b"GIF89a")
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_AVIF_CONTAINER_BRANDS = frozenset({b"mif1", b"msf1"})
# "BM" alone would also match text; the size of the header that follows takes only these values.
_BMP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})


def media_type_of(data: bytes) -> str | None:
    """Return "image/jpeg", png, gif, webp, avif or bmp, or None if the bytes begin like none of them."""
    if data.startswith(_JPEG_START):
        return "image/jpeg"
    if data.startswith(_PNG_SIGNATURE):
        return "image/png"
    if data.startswith(_GIF_SIGNATURES):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    if _is_avif(data):
        return "image/avif"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "image/bmp"
    return None


def _is_avif(data: bytes) -> bool:
    """ISO base media file with an AVIF brand: as the major one, or listed by a general image container."""
    if data[4:8] != b"ftyp":
        return False
    major_brand = data[8:12]
    if major_brand in _AVIF_BRANDS:
        return True
    # The cap keeps a box that claims gigabytes from being searched; real lists hold fewer than ten brands.
    box_end = min(int.from_bytes(data[:4], "big"), 256)
    compatible_brands = {data[start : start + 4] for start in range(16, box_end, 4)}
    return major_brand in _AVIF_CONTAINER_BRANDS and not _AVIF_BRANDS.isdisjoint(compatible_brands)
