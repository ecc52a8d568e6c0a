"""`IndexRows`: every row of one generation, by position, for jobs that look at the whole of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, concatenate
from pipeline.errors import UsageError
from pipeline.shard_index.deleted_ids import NO_IDS, is_among, open_deleted
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_shard import IndexShard, open_shard
from pipeline.shard_index.shard_fetch import ShardFetcher


@dataclass(frozen=True, eq=False)
class IndexRows:
    """Row i of the generation, in ascending order of ids, over all shards; rows with `deleted` ids are none."""

    manifest: IndexManifest
    shards: tuple[IndexShard, ...]
    deleted: NDArray[np.int64] = field(default_factory=lambda: NO_IDS)

    @classmethod
    def open(cls, manifest: IndexManifest, fetcher: ShardFetcher) -> IndexRows:
        """Open and verify every shard. Raises `CorruptFile` and `StorageError`."""
        shards = tuple(open_shard(manifest, shard.name, fetcher) for shard in manifest.shards)
        return cls(manifest, shards, open_deleted(manifest, fetcher))

    @cached_property
    def codes(self) -> BinaryCodes:
        """All codes, in memory where there are several shards or deleted rows."""
        stored = self.shards[0].codes if len(self.shards) == 1 else concatenate([shard.codes for shard in self.shards])
        return stored if self._places is None else stored[self._places]

    @cached_property
    def ids(self) -> NDArray[np.int64]:
        """int64 `(num_rows,)`, ascending."""
        return self._stored_ids if self._places is None else self._stored_ids[self._places]

    def rows_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows by their place in the shards, counted from the first row of the first shard; deleted rows have none."""
        if self._places is None:
            return places
        return np.searchsorted(self.ids, self._stored_ids[places])

    @cached_property
    def _stored_ids(self) -> NDArray[np.int64]:
        return np.concatenate([shard.ids for shard in self.shards])

    @cached_property
    def _places(self) -> NDArray[np.int64] | None:
        """Where the rows are in the shards; None where they are as in the shards."""
        if not len(self.deleted) and not any(shard.entry.is_delta for shard in self.shards):
            return None
        order = np.argsort(self._stored_ids, kind="stable")
        return order[~is_among(self._stored_ids[order], self.deleted)]

    def column(self, name: str) -> pa.ChunkedArray:
        """A payload column of all rows, copied only where rows were added or deleted. Raises `UsageError` naming the
        columns that there are."""
        if name not in self._payload.column_names:
            known = ", ".join(self._payload.column_names)
            raise UsageError(f"index {self.manifest.index} has no column {name!r}; known: {known}")
        column = self._payload.column(name)
        return column if self._places is None else column.take(pa.array(self._places))

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
