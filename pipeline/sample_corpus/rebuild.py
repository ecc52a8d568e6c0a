"""Rebuild the sample corpus from the Debian packages openclipart-png and openclipart-svg.

    python -m pipeline.sample_corpus.rebuild --out openclipart.parquet

Fifty drawings from each of twenty folders whose drawings look alike, so that the nearest neighbours of a picture mean
something. The same packages and the same Pillow and pyarrow give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import SourceNotFound
from pipeline.sample_corpus.clip_metadata import read_clip_metadata
from pipeline.sample_corpus.clip_thumbnail import clip_thumbnail

logger = logging.getLogger(__name__)

OPENCLIPART = Path("/usr/share/openclipart")
ITEMS_PER_CATEGORY = 50
# Mean absolute difference of 24 x 24 RGB copies, in grey levels, below which two drawings count as the same one.
NEAR_DUPLICATE_LEVELS = 2.5
MAX_TITLE_USES = 5
# The first shows "Linked Image Not Found"; the others lie in a second folder too, where they belong.
_LEFT_OUT = frozenset(
    {
        "animals/birds/penguin/tux_didier_fabert_01.png",
        "animals/birds/contour_bat.png",
        "food/fruit/pie_apple.png",
        "signs_and_symbols/flags/europe/ampelfrau_matthew_gates_01.png",
    }
)

_FLAGS = "signs_and_symbols/flags"
CATEGORY_FOLDERS: dict[str, tuple[str, ...]] = {
    "action icons": ("computer/icons/flat-theme/action",),
    "arrows": ("shapes/arrows",),
    "birds": ("animals/birds",),
    "bugs": ("animals/bugs",),
    "computers": ("computer/hardware",),
    "desserts": ("food/desserts",),
    "document icons": ("computer/icons/lemon-theme/mimetypes",),
    "folder icons": ("computer/icons/lemon-theme/filesystems",),
    "fruit": ("food/fruit",),
    "indicator lights": ("signs_and_symbols/led",),
    "jigsaw pieces": ("shapes/jigsaw",),
    "mammals": ("animals/mammals",),
    "map symbols": ("signs_and_symbols/map_symbols",),
    "music": ("recreation/music",),
    "national flags": (f"{_FLAGS}/africa", f"{_FLAGS}/america", f"{_FLAGS}/asia", f"{_FLAGS}/europe"),
    "patterns": ("special/patterns",),
    "playing cards": ("recreation/games/cards/white",),
    "road signs": ("transportation/roadsigns",),
    "smilies": ("people/smilies",),
    "stickmen": ("people/stickmen",),
}
SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("image", pa.binary(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("keywords", pa.string(), nullable=False),
    ],
    metadata={
        "license": "public domain (each drawing's own RDF says so)",
        "source": "Open Clip Art Library, Debian packages openclipart-png and openclipart-svg",
    },
)


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One row of the corpus; `image` holds PNG bytes, `keywords` are joined by ", "."""

    key: str
    image: bytes
    category: str
    title: str
    keywords: str


def category_clips(category: str, root: Path = OPENCLIPART, *, num_items: int = ITEMS_PER_CATEGORY) -> list[Clip]:
    """At most `num_items` distinct public-domain drawings of `category`, ascending by key.

    They are taken in the order of a hash of their path, so that the choice is spread over the folder and repeatable.
    Raises SourceNotFound if the Debian packages are not installed.
    """
    chosen: list[Clip] = []
    seen: list[NDArray[np.int16]] = []
    for path in _in_hash_order(category, root):
        if len(chosen) == num_items:
            break
        clip = _read_clip(category, path, root)
        if clip is None:
            continue
        small = _tiny_copy(clip.image)
        if all(np.abs(small - other).mean() >= NEAR_DUPLICATE_LEVELS for other in seen):
            chosen.append(clip)
            seen.append(small)
    return sorted(chosen, key=lambda clip: clip.key)


def build_table(root: Path = OPENCLIPART) -> pa.Table:
    """The whole corpus in the order of its keys. Raises SourceNotFound if the Debian packages are not installed."""
    clips: list[Clip] = []
    for category in CATEGORY_FOLDERS:
        found = category_clips(category, root)
        logger.info("%s: %d drawings", category, len(found))
        clips.extend(found)
    clips = sorted(_own_titles(clips), key=lambda clip: clip.key)
    return pa.Table.from_pylist([vars(clip) for clip in clips], schema=SCHEMA)


def write_corpus(table: pa.Table, out: Path) -> None:
    """Write `table` to `out`. The pictures are compressed already, so only the text columns are."""
    compression = {name: "NONE" if name == "image" else "ZSTD" for name in table.column_names}
    pq.write_table(table, out, compression=compression, use_dictionary=["category"], row_group_size=256)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: `--out FILE` and, for an unpacked copy of the packages, `--openclipart FOLDER`."""
    parser = argparse.ArgumentParser(description="Rebuild the sample corpus from the Debian openclipart packages.")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--openclipart", type=Path, default=OPENCLIPART, help="folder with png/ and svg/")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    table = build_table(options.openclipart)
    write_corpus(table, options.out)
    logger.info("%s: %d rows, %d bytes", options.out, table.num_rows, options.out.stat().st_size)


def _in_hash_order(category: str, root: Path) -> list[Path]:
    paths: list[Path] = []
    for folder in CATEGORY_FOLDERS[category]:
        directory = root / "png" / folder
        if not directory.is_dir():
            raise SourceNotFound(f"{directory}: no such folder; install the Debian packages openclipart-png and -svg")
        paths.extend(_drawings(directory, category))
    return sorted(paths, key=lambda path: hashlib.sha256(_key(path, root).encode()).digest())


def _drawings(directory: Path, category: str) -> Iterator[Path]:
    # The flags of provinces lie in folders below their country: only the countries' own are wanted.
    return directory.glob("*.png") if category == "national flags" else directory.rglob("*.png")


def _read_clip(category: str, path: Path, root: Path) -> Clip | None:
    key = _key(path, root)
    if key in _LEFT_OUT:
        return None
    metadata = read_clip_metadata((root / "svg" / key).with_suffix(".svg"))
    if not metadata.is_public_domain:
        return None
    image = clip_thumbnail(path)
    if image is None:
        return None
    title = metadata.title or _file_title(key)
    return Clip(key=key, image=image, category=category, title=title, keywords=", ".join(metadata.keywords))


def _own_titles(clips: Sequence[Clip]) -> Iterator[Clip]:
    # A title that many drawings share ("Lemon SVG theme") names their collection; the file name says more.
    uses = Counter(clip.title for clip in clips)
    for clip in clips:
        yield replace(clip, title=_file_title(clip.key)) if uses[clip.title] > MAX_TITLE_USES else clip


def _file_title(key: str) -> str:
    return Path(key).stem.replace("_", " ").strip()


def _key(path: Path, root: Path) -> str:
    return path.relative_to(root / "png").as_posix()


def _tiny_copy(image: bytes) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(image)) as opened:
        return np.asarray(opened.convert("RGB").resize((24, 24), Image.Resampling.BOX), dtype=np.int16)


if __name__ == "__main__":
    main()
