"""Which names are pictures, and which are hidden."""

from __future__ import annotations

PICTURE_EXTENSIONS = ("jpg", "jpeg", "png", "gif", "webp", "avif", "bmp")


def is_picture_name(name: str) -> bool:
    """By extension, in any case. The bytes decide later whether it really is one."""
    stem, dot, extension = name.rpartition(".")
    return bool(dot) and not stem.endswith("/") and extension.lower() in PICTURE_EXTENSIONS


def is_hidden(key: str) -> bool:
    """Whether a file or one of its folders starts with a dot; `.` and `..` are odd names in S3 keys, not hidden."""
    return any(segment.startswith(".") and segment not in (".", "..") for segment in key.split("/"))
