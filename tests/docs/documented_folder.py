"""The folder that the documented commands are run in: pictures and other sources where the docs say they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from pipeline.sample_corpus.sample_corpus import sample_corpus_path
from tests.docs.documented_blocks import ROOT
from tests.source_samples import (
    write_cifar10,
    write_delta,
    write_idx,
    write_table,
    write_uri_table,
    write_webdataset,
)
from tests.tiny_backbones import save_tiny_vit

PICTURES_PER_CLASS = 8


def write_documented_folder(folder: Path) -> None:
    """`pictures/` (class folders of the sample corpus, with `fruit/apple.jpg`), and `deploy/settings/`."""
    taken: dict[str, int] = {}
    for row in pq.read_table(sample_corpus_path()).to_pylist():
        number = taken.get(row["category"], 0)
        if number < PICTURES_PER_CLASS:
            taken[row["category"]] = number + 1
            path = folder / "pictures" / row["category"].replace(" ", "_") / Path(row["key"]).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row["image"])
    apple = next((folder / "pictures" / "fruit").iterdir())
    Image.open(apple).convert("RGB").save(apple.with_name("apple.jpg"))
    apple.unlink()
    shutil.copytree(ROOT / "deploy" / "settings", folder / "deploy" / "settings")


def write_sources(folder: Path) -> None:
    """What `docs/sources.md` and `docs/models.md` read: tables, tars, arrays and a backbone's folder."""
    write_table(folder / "photo_tables")
    write_delta(folder / "photo_delta")
    write_uri_table(folder / "photo_list")
    write_webdataset(folder / "shards")
    write_idx(folder / "fashion-mnist")
    write_cifar10(folder / "cifar-10-batches-bin")
    save_tiny_vit(folder / "backbones" / "dinov2-small")
