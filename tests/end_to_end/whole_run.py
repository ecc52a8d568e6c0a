"""The commands of a whole run over a folder of class folders, and what they must give, worked out the slow way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from operators.decoders.image_decoder import decode_image
from operators.features.feature_registry import create_features
from operators.hashers.hasher_registry import create_hasher
from operators.models.hashing_model import HashingModel
from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.object_store.open_store import open_store
from tests import command_line

NUM_BITS, SIDE = 16, 8
MODEL_OPTIONS = ("--method", "lsh", "--num-bits", NUM_BITS, "--features", "pixels", "--feature-set", f"side={SIDE}")


@dataclass(frozen=True)
class WholeRun:
    """One catalog and the commands on it. `config` is a settings file."""

    catalog: str
    config: Path

    def text(self, *arguments: object, exit_code: int = 0) -> str:
        words = map(str, (*arguments, "--catalog", self.catalog, "--config", self.config))
        return command_line.run(*words, exit_code=exit_code)

    def json(self, *arguments: object, exit_code: int = 0) -> Any:
        return json.loads(self.text(*arguments, "--json", exit_code=exit_code))

    def train(self, source: str | Path, *options: str) -> Any:
        return self.json("train", "--name", "lsh", "--source", source, *MODEL_OPTIONS, *options)

    def encode(self, collection: str, source: str | Path, *options: str, exit_code: int) -> Any:
        words = ("encode", "--collection", collection, "--model", "lsh", "--source", source, *options)
        return self.json(*words, exit_code=exit_code)

    def hits(self, *options: object) -> list[dict[str, Any]]:
        answer = self.json("query", "--index", "photos", *options)
        assert answer["coverage"] == 1.0
        assert not answer["degraded"]
        hits: list[dict[str, Any]] = answer["hits"]
        return hits

    def rows(self, collection: str) -> list[tuple[int, str, bytes]]:
        """(id, key, code) of every committed row, by ascending id."""
        table = CodeTable.open(f"{self.catalog}/collections/{collection}")
        store = open_store(self.catalog)
        shards = [read_code_shard(store, table.shard_uri(s), table.identity) for s in table.snapshot().shards]
        columns = ("id", "key", "code")
        return sorted(row for s in shards for row in zip(*(s[name].to_pylist() for name in columns), strict=True))


def brute_force(
    rows: list[tuple[int, str, bytes]], code: bytes, *, k: int, without: int | None = None
) -> list[tuple[int, int, str]]:
    """(distance, id, key) of the `k` nearest rows by definition: count differing bits, sort by distance, then id."""
    query = int.from_bytes(code)
    found = [((int.from_bytes(row_code) ^ query).bit_count(), id_, key) for id_, key, row_code in rows]
    return sorted(neighbor for neighbor in found if neighbor[1] != without)[:k]


def found_by(hits: list[dict[str, Any]]) -> list[tuple[int, int, str]]:
    """Hits in the form of `brute_force`."""
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    return [(hit["distance"], hit["id"], hit["key"]) for hit in hits]


def codes_by_a_bare_loop(pictures: Path, broken: set[str]) -> tuple[str, dict[str, bytes]]:
    """Fingerprint of the model that training must give, and the code of every readable picture by key, one by one."""
    model = HashingModel(create_features("pixels", side=SIDE), create_hasher("lsh", num_bits=NUM_BITS, seed=0))
    codes = {}
    files = {path.relative_to(pictures).as_posix(): path for path in pictures.rglob("*.png")}
    pixels = {
        key: decode_image(path.read_bytes(), side=SIDE).pixels for key, path in files.items() if key not in broken
    }
    model.hasher.fit(model.features.extract(np.stack(list(pixels.values()))))
    for key, picture in pixels.items():
        codes[key] = model.encode_pixels(picture[None]).packed.tobytes()
    return model.fingerprint, codes
