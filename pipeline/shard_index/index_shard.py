"""`IndexShard`: one opened shard, memory-mapped, its bytes verified first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.search.block_scan import check_ids
from operators.search.search_kinds import CodeSearch, open_code_search
from pipeline.errors import CorruptFile
from pipeline.shard_index.index_manifest import IndexManifest, ShardEntry
from pipeline.shard_index.mapped_array import map_array
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.shard_index.shard_structure import map_structure


@dataclass(frozen=True, kw_only=True, eq=False)
class IndexShard:
    """Row i of the shard is `ids[i]`, `codes[i]` and row i of the payload. Nothing here is ever written."""

    entry: ShardEntry
    codes: BinaryCodes
    ids: NDArray[np.int64]
    payload_batches: tuple[pa.RecordBatch, ...]
    search: CodeSearch

    @property
    def num_rows(self) -> int:
        return len(self.ids)

    def positions_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of these ids, -1 where the shard has no such id. Reads a few pages of the map per id."""
        places = np.searchsorted(self.ids, ids)
        found = self.ids[np.minimum(places, self.num_rows - 1)] == ids
        return np.where(found, places, -1)

    def payload_rows(self, positions: NDArray[np.int64]) -> pa.Table:
        """Payload of these rows, in the order asked."""
        batch_rows = self.payload_batches[0].num_rows
        order = np.argsort(positions, kind="stable")
        ordered = positions[order]
        parts = [self.payload_batches[0].slice(0, 0)]
        batches, starts = np.unique(ordered // batch_rows, return_index=True)
        for batch, inside in zip(batches, np.split(ordered, starts[1:]), strict=False):
            parts.append(self.payload_batches[batch].take(pa.array(inside - batch * batch_rows)))
        rows = pa.Table.from_batches(parts)
        return rows.take(pa.array(np.argsort(order, kind="stable")))

    def ids_of_key(self, key: str) -> list[int]:
        """Ids of every row with this key: a scan of the key column."""
        found: list[int] = []
        first_row = 0
        for batch in self.payload_batches:
            rows = pc.indices_nonzero(pc.equal(batch.column("key"), key)).to_numpy()
            found.extend(self.ids[rows.astype(np.int64) + first_row].tolist())
            first_row += batch.num_rows
        return found


def open_shard(manifest: IndexManifest, shard_name: str, fetcher: ShardFetcher, device: str = "cpu") -> IndexShard:
    """Fetch if need be, verify sha256, map. Raises `CorruptFile` naming file and remedy, `StorageError`, and
    `InvalidSetting` where this machine lacks what the kind of search needs."""
    entry = manifest.shard(shard_name)
    home = manifest.home_of(entry)
    paths = {file.name: fetcher.verified_path(manifest, file, home=home) for file in entry.files}
    try:
        packed = map_array(paths[entry.codes.name])
        ids = map_array(paths[entry.ids.name])
        codes = BinaryCodes(packed, manifest.num_bits)
        check_ids(ids, entry.num_rows)
        if len(codes) != entry.num_rows:
            raise ShapeMismatch("codes", f"{len(codes)} rows", f"{entry.num_rows} rows")
        batches = map_payload(paths[entry.payload.name])
        arrays = map_structure({file.name: paths[file.name] for file in entry.structure})
        search = open_code_search(manifest.kind_of(entry), codes, arrays, device=device)
    except InvalidSetting:
        raise
    except (ValueError, pa.ArrowException) as error:
        # The bytes are those that the builder wrote, so the builder or the reader is at fault: never guess on.
        raise CorruptFile(entry.name, str(error), manifest.remedy) from error
    num_payload_rows = sum(batch.num_rows for batch in batches)
    if num_payload_rows != entry.num_rows:
        raise CorruptFile(entry.payload.name, f"{num_payload_rows} rows, {entry.num_rows} expected", manifest.remedy)
    return IndexShard(entry=entry, codes=codes, ids=ids, payload_batches=batches, search=search)


def map_payload(path: Path) -> tuple[pa.RecordBatch, ...]:
    """Every record batch, without copying; opened all at once because the reader itself is not safe to share."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    return tuple(reader.get_batch(number) for number in range(reader.num_record_batches))
