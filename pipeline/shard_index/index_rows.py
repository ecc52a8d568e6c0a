"""`IndexRows`: every row of one generation, by position, for jobs that look at the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, concatenate
from pipeline.errors import UsageError
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import IndexShard, open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher


@dataclass(frozen=True)
class IndexRows:
    """Row i of the generation, in ascending order of ids, over all shards."""

    manifest: IndexManifest
    shards: tuple[IndexShard, ...]

    @classmethod
    def open(cls, manifest: IndexManifest, fetcher: ShardFetcher) -> IndexRows:
        """Open and verify every shard. Raises `CorruptFile` and `StorageError`."""
        return cls(manifest, tuple(open_shard(manifest, shard.name, fetcher) for shard in manifest.shards))

    @cached_property
    def codes(self) -> BinaryCodes:
        """All codes, in memory where there are several shards."""
        return self.shards[0].codes if len(self.shards) == 1 else concatenate([shard.codes for shard in self.shards])

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """int64 `(num_rows,)`, ascending."""
        return np.concatenate([shard.ids for shard in self.shards])

    def column(self, name: str) -> pa.ChunkedArray:
        """A payload column of all rows, not copied. Raises `UsageError` naming the columns that there are."""
        if name not in self._payload.column_names:
            known = ", ".join(self._payload.column_names)
            raise UsageError(f"index {self.manifest.index} has no column {name!r}; known: {known}")
        return self._payload.column(name)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers as float64 `(num_rows,)`, nulls as NaN. Raises `UsageError` for any other column."""
        column = self.column(name)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            numeric = ", ".join(
                field.name
                for field in self._payload.schema
                if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
            )
            raise UsageError(
                f"column {name!r} of index {self.manifest.index} is {column.type}, no number; numbers: {numeric}"
            )
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)

    def values(self, name: str, rows: Sequence[int] | NDArray[np.int64]) -> list[object]:
        """A column's values in these rows."""
        found: list[object] = self.column(name).take(pa.array(rows, pa.int64())).to_pylist()
        return found

    @cached_property
    def _payload(self) -> pa.Table:
        return pa.Table.from_batches([batch for shard in self.shards for batch in shard.payload_batches])
