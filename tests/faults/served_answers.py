"""What a service must have answered, whatever happened to it meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from pipeline.jobs.synthetic_index import write_synthetic_index
from pipeline.shard_index.index_manifest import IndexManifest

INDEX = "faults"
NUM_BITS = 64
K = 5


@dataclass(frozen=True, eq=False)
class Generation:
    """Row i has code `codes[i]` and id `first_id` + i."""

    manifest: IndexManifest
    codes: BinaryCodes
    first_id: int

    def nearest(self, query: NDArray[np.uint8], failed_shards: list[str]) -> list[tuple[str, int]]:
        """(id, distance) of the `K` nearest in the shards that did not fail, by comparing with every code."""
        rows = np.concatenate(
            [
                np.arange(shard.first_row, shard.first_row + shard.num_rows)
                for shard in self.manifest.shards
                if shard.name not in failed_shards
            ]
        )
        distances = np.unpackbits(self.codes.packed[rows] ^ query, axis=1).sum(axis=1)
        order = np.argsort(distances, kind="stable")[:K]
        return [(str(self.first_id + rows[place]), int(distances[place])) for place in order]


class ServedAnswers:
    """Generations of index `INDEX` of two shards each, with ids of their own, and queries."""

    def __init__(self, catalog: Path, *, num_generations: int = 1, num_rows: int = 400, num_queries: int = 16) -> None:
        self.catalog = catalog
        self._random = np.random.default_rng(5)
        self.generations: dict[str, Generation] = {}
        for _ in range(num_generations):
            self.add_generation(num_rows)
        self._queries = self._random.integers(0, 256, (num_queries, NUM_BITS // 8), dtype=np.uint8)

    def add_generation(self, num_rows: int = 400) -> str:
        """Make one more, which the alias then points at; its name."""
        packed = self._random.integers(0, 256, (num_rows, NUM_BITS // 8), dtype=np.uint8)
        codes, first_id = BinaryCodes(packed, NUM_BITS), len(self.generations) * 10**6
        manifest = write_synthetic_index(str(self.catalog), INDEX, codes, num_shards=2, first_id=first_id)
        self.generations[manifest.generation] = Generation(manifest, codes, first_id)
        return manifest.generation

    @property
    def path(self) -> str:
        return f"/v1/indexes/{INDEX}/query"

    def bodies(self, **terms: Any) -> list[dict[str, Any]]:
        """One request per query."""
        return [{"code": query.tobytes().hex(), "k": K, "with_payload": False, **terms} for query in self._queries]

    def check(self, number: int, content: Mapping[str, Any]) -> None:
        """Fails unless this is all that the shards that answered hold, of one generation, and says so."""
        generation = self.generations[content["generation"]]
        failed = content["failed_shards"]
        shards = generation.manifest.shards
        answering = sum(shard.num_rows for shard in shards if shard.name not in failed)
        assert set(failed) < {shard.name for shard in shards}
        assert content["degraded"] == bool(failed)
        assert content["coverage"] == answering / generation.manifest.num_rows
        hits = [(hit["id"], hit["distance"]) for hit in content["hits"]]
        assert hits == generation.nearest(self._queries[number], failed)
