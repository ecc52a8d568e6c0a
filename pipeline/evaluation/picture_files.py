"""Labelled pictures that are files in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.evaluation.labelled_pictures import LabelledPictures

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp"})


def picture_keys(folder: Path) -> list[str]:
    """Paths, relative to `folder` and sorted, of the picture files in the folders below it."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.glob("*/**/*")
        if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()
    )


def picture_files(folder: Path, labelled_keys: Iterable[tuple[str, tuple[str, ...]]]) -> LabelledPictures:
    """Pictures by (path relative to `folder`, labels); the files are read when asked for."""
    pairs = tuple(labelled_keys)
    keys = tuple(key for key, _ in pairs)
    return LabelledPictures(
        keys=keys, labels=tuple(labels for _, labels in pairs), read=lambda row: (folder / keys[row]).read_bytes()
    )
