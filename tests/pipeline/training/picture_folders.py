"""Class folders of small noisy pictures that even a tiny network tells apart."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

NUM_CLASSES = 4


def write_classes(folder: Path, *, per_class: int = 30, seed: int = 0) -> Path:
    """`folder/c0/0.png`, …: 12 x 12 pixels."""
    rng = np.random.default_rng(seed)
    for number, base in enumerate(rng.random((NUM_CLASSES, 12, 12, 3)) * 255):
        (folder / f"c{number}").mkdir(parents=True)
        for item in range(per_class):
            pixels = np.clip(base + rng.normal(0, 50, base.shape), 0, 255).astype(np.uint8)
            (folder / f"c{number}" / f"{item}.png").write_bytes(png(pixels))
    return folder


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def spoil(folder: Path) -> None:
    """Make every file unreadable as a picture, with the size and date that it had: a listing shows no difference."""
    for path in folder.rglob("*.png"):
        status = path.stat()
        path.write_bytes(b"x" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
