"""Small indexes made of seeded codes, for the tests of the read side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_builder import BuildPlan, build_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest

FINGERPRINT = "f" * 64


@dataclass(frozen=True, eq=False)
class Corpus:
    """What is in an index: codes full of ties, sparse ids, and keys made of the row number."""

    codes: BinaryCodes
    ids: NDArray[np.int64]
    labels: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def key(self, row: int) -> str:
        return f"pictures/{row}.png"

    def table(self, rows: slice) -> pa.Table:
        """Rows as the code table gives them."""
        code_type = pa.binary(self.codes.packed.shape[1])
        places = range(len(self))[rows]
        return pa.table(
            {
                "id": self.ids[rows],
                "code": pa.array([code.tobytes() for code in self.codes.packed[rows]], code_type),
                "key": [self.key(row) for row in places],
                "uri": [f"/data/{self.key(row)}" for row in places],
                "label": self.labels[rows],
            }
        )

    def tables(self, file_rows: int) -> Iterator[pa.Table]:
        for start in range(0, len(self), file_rows):
            yield self.table(slice(start, start + file_rows))


def make_corpus(num_rows: int = 50, num_bits: int = 12, seed: int = 7) -> Corpus:
    rng = np.random.default_rng(seed)
    distinct = rng.random((max(1, num_rows // 3), num_bits)) < 0.5
    codes = BinaryCodes.from_bits(distinct[rng.integers(0, len(distinct), num_rows)])
    ids = np.cumsum(rng.integers(1, 2**40, num_rows, dtype=np.int64))
    return Corpus(codes, ids, [f"class {row % 3}" for row in range(num_rows)])


def make_queries(num_queries: int, num_bits: int = 12, seed: int = 8) -> BinaryCodes:
    return BinaryCodes.from_bits(np.random.default_rng(seed).random((num_queries, num_bits)) < 0.5)


def plan_for(catalog: str, corpus: Corpus, *, num_shards: int = 3, index: str = "photos") -> BuildPlan:
    return BuildPlan(
        catalog=catalog,
        index=index,
        collection="pictures",
        table_version=4,
        model_id="itq12@1",
        model_fingerprint=FINGERPRINT,
        num_bits=corpus.codes.num_bits,
        num_rows=len(corpus),
        num_shards=num_shards,
    )


def build_example(
    catalog: str | Path, corpus: Corpus, *, num_shards: int = 3, file_rows: int = 17, fingerprint: str = FINGERPRINT
) -> IndexManifest:
    """Build a generation of index `photos` and make it live."""
    catalog = str(catalog)
    plan = replace(plan_for(catalog, corpus, num_shards=num_shards), model_fingerprint=fingerprint)
    store = open_store(catalog)
    manifest = build_generation(store, plan, corpus.tables(file_rows))
    IndexCatalog(catalog, store).point_alias("photos", "live", manifest.generation)
    return manifest


def flip_byte(path: Path, position: int = -1) -> None:
    """Change one byte of a file in place."""
    data = bytearray(path.read_bytes())
    data[position] ^= 0x01
    path.write_bytes(data)
