"""A corpus whose pictures encode their own number, and a full count of what a collection holds of it."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.shard_reader import read_code_shard, read_rejects
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.open_store import open_store


def write_corpus(folder: Path, *, num_pictures: int, num_broken: int) -> set[str]:
    """PNG files of seeded noise, and some that are no pictures. Returns every key."""
    random = np.random.default_rng(7)
    keys = set()
    for number in range(num_pictures + num_broken):
        label = folder / f"class-{number % 5}"
        label.mkdir(parents=True, exist_ok=True)
        path = label / f"{number:05d}.png"
        path.write_bytes(_picture(random) if number >= num_broken else b"<html>404</html>")
        keys.add(path.relative_to(folder).as_posix())
    return keys


def _picture(random: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((40, 40), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class CollectionContent:
    """Every committed row and reject, read back from the files themselves with all checks on."""

    codes: tuple[tuple[str, bytes], ...]
    ids: tuple[int, ...]
    rejects: tuple[str, ...]

    def faults(self, listed: set[str]) -> list[str]:
        """What is wrong, in words; empty when every listed item is there once, as a row or as a reject."""
        keys = [key for key, _ in self.codes] + list(self.rejects)
        counts = Counter(keys)
        return [
            *(f"missing {key}" for key in sorted(listed - counts.keys())),
            *(f"phantom {key}" for key in sorted(counts.keys() - listed)),
            *(f"{count} times {key}" for key, count in sorted(counts.items()) if count > 1),
            *(f"id {id_} twice" for id_, count in Counter(self.ids).items() if count > 1),
        ]


def _rows(shard: pa.Table) -> list[tuple[str, bytes]]:
    return list(zip(shard["key"].to_pylist(), shard["code"].to_pylist(), strict=True))


def read_collection(uri: str) -> CollectionContent:
    """Enumerate a collection: rows of its newest version, and the rejects of the attempts committed in it."""
    table = CodeTable.open(uri)
    store: ObjectStore = open_store(uri)
    snapshot = table.snapshot()
    shards = [read_code_shard(store, table.shard_uri(shard), table.identity) for shard in snapshot.shards]
    rejects = [
        read_rejects(store, table.rejects_file_uri(shard), table.identity)
        for shard in table.rejects_snapshot(snapshot).shards
    ]
    return CollectionContent(
        codes=tuple(sorted(row for shard in shards for row in _rows(shard))),
        ids=tuple(sorted(id_ for shard in shards for id_ in shard["id"].to_pylist())),
        rejects=tuple(sorted(key for part in rejects for key in part["key"].to_pylist())),
    )
