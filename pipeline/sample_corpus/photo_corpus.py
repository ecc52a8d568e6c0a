"""`make_photo_corpus`: any number of photo-like JPEG files, made from the shipped drawings. For benchmarks.

Each is a blurred drawing as background, some drawings pasted at random sizes, and camera-like noise over all: smooth
areas, edges and grain, so that a file of 1024 x 768 pixels has 100-250 KB, as photos of that size have.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageChops

from pipeline.sample_corpus.sample_corpus import sample_corpus_path

_EVERY_DRAWING = 5
_NUM_PASTED = 4
_NOISE_DEVIATION = 9.0
_NOISE_MARGIN = 64
_PHOTOS_PER_FOLDER = 1000
_QUALITY = 85
_COMPLETE = "corpus.json"


@dataclass(frozen=True, kw_only=True)
class PhotoCorpusSettings:
    """`num_photos` pictures of `width` x `height` pixels. Photo number i is the same for any `num_photos`.

    Each photo stands under `num_copies` names, as hard links: more items in the same room on the disk.
    """

    num_photos: int
    num_copies: int = 1
    width: int = 1024
    height: int = 768
    seed: int = 0

    @property
    def num_files(self) -> int:
        return self.num_photos * self.num_copies


def make_photo_corpus(data_dir: Path, settings: PhotoCorpusSettings) -> Path:
    """The corpus's folder below `data_dir`, made now unless it is there: `<folder>/<thousand>/<number>.jpg`, and with
    copies `<folder>/<copy>/<thousand>/<number>.jpg`.

    Written beside and renamed when it is whole, so that a killed maker leaves nothing that looks like a corpus.
    """
    photos = _make_photos(data_dir, settings)
    return photos if settings.num_copies == 1 else _link_copies(photos, settings.num_copies)


def _make_photos(data_dir: Path, settings: PhotoCorpusSettings) -> Path:
    name = f"photos-{settings.num_photos}-{settings.width}x{settings.height}-seed{settings.seed}"
    folder = data_dir / name
    if (folder / _COMPLETE).exists():
        return folder
    partial = data_dir / f".{name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    starts = range(0, settings.num_photos, _PHOTOS_PER_FOLDER)
    jobs = [(partial, settings, start) for start in starts]
    if len(jobs) == 1:
        _write_folder(jobs[0])
    else:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=spawn) as processes:
            for _ in processes.map(_write_folder, jobs):
                pass
    (partial / _COMPLETE).write_text(json.dumps(asdict(settings)) + "\n", encoding="utf-8")
    partial.replace(folder)
    return folder


def _link_copies(photos: Path, num_copies: int) -> Path:
    folder = photos.with_name(f"{photos.name}-x{num_copies}")
    if not folder.exists():
        partial = photos.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for copy in range(num_copies):
            shutil.copytree(photos, partial / str(copy), copy_function=os.link)
        partial.replace(folder)
    return folder


def _write_folder(job: tuple[Path, PhotoCorpusSettings, int]) -> None:
    """The photos from number `start` up to the next thousand."""
    root, settings, start = job
    scenery = _Scenery(settings)
    folder = root / f"{start // _PHOTOS_PER_FOLDER:04d}"
    folder.mkdir()
    for number in range(start, min(start + _PHOTOS_PER_FOLDER, settings.num_photos)):
        (folder / f"{number:07d}.jpg").write_bytes(scenery.photo(number))


class _Scenery:
    """What all photos are composed of: some drawings, and one sheet of noise larger than a photo."""

    def __init__(self, settings: PhotoCorpusSettings) -> None:
        self._settings = settings
        images = pq.read_table(sample_corpus_path(), columns=["image"])["image"].to_pylist()[::_EVERY_DRAWING]
        self._drawings = [Image.open(io.BytesIO(image)).convert("RGB") for image in images]
        sheet = (settings.height + _NOISE_MARGIN, settings.width + _NOISE_MARGIN)
        noise = np.random.default_rng(settings.seed).normal(128, _NOISE_DEVIATION, sheet)
        self._noise = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).convert("RGB")

    def photo(self, number: int) -> bytes:
        """JPEG bytes that depend on the settings' seed and size and on `number` only."""
        random = np.random.default_rng([self._settings.seed, number])
        size = (self._settings.width, self._settings.height)
        canvas = self._drawing(random).resize(size, Image.Resampling.BILINEAR)
        for _ in range(_NUM_PASTED):
            side = int(random.integers(min(size) // 8, min(size) // 2))
            corner = (int(random.integers(size[0] - side)), int(random.integers(size[1] - side)))
            canvas.paste(self._drawing(random).resize((side, side), Image.Resampling.BILINEAR), corner)
        left, top = (int(offset) for offset in random.integers(_NOISE_MARGIN, size=2))
        noise = self._noise.crop((left, top, left + size[0], top + size[1]))
        encoded = io.BytesIO()
        ImageChops.add(canvas, noise, offset=-128).save(encoded, "JPEG", quality=_QUALITY)
        return encoded.getvalue()

    def _drawing(self, random: np.random.Generator) -> Image.Image:
        return self._drawings[int(random.integers(len(self._drawings)))]
