"""`find_items`: which of some ids and keys name items of a generation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import CorruptFile
from pipeline.shard_index.deleted_ids import is_among, open_deleted
from pipeline.shard_index.index_manifest import IndexManifest, ShardEntry
from pipeline.shard_index.index_shard import map_payload
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.shard_index.stored_ids import StoredIds


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundItems:
    """`living`: ids of the items that answer, ascending. `unknown_ids` and `unknown_keys` name no row; what is neither
    living nor unknown was deleted before."""

    living: NDArray[np.int64]
    unknown_ids: tuple[int, ...]
    unknown_keys: tuple[str, ...]


def find_items(manifest: IndexManifest, fetcher: ShardFetcher, ids: Sequence[int], keys: Sequence[str]) -> FoundItems:
    """A key names every item that has it. Opens ids, and for keys the payload. Raises `CorruptFile` and
    `StorageError`."""
    asked = np.unique(np.array(ids, np.int64))
    stored = StoredIds(manifest, fetcher)
    by_id = stored.stored(asked)
    by_key: list[int] = []
    seen: set[str] = set()
    if keys:
        for shard in manifest.shards:
            rows = _rows_with_keys(manifest, shard, fetcher, keys)
            by_key += stored.rows_of(shard)[[row for row, _ in rows]].tolist()
            seen |= {key for _, key in rows}
    found = np.union1d(by_id, np.array(by_key, np.int64))
    return FoundItems(
        living=found[~is_among(found, open_deleted(manifest, fetcher))],
        unknown_ids=tuple(np.setdiff1d(asked, by_id).tolist()),
        unknown_keys=tuple(key for key in dict.fromkeys(keys) if key not in seen),
    )


def _rows_with_keys(
    manifest: IndexManifest, shard: ShardEntry, fetcher: ShardFetcher, keys: Sequence[str]
) -> list[tuple[int, str]]:
    """(row of the shard, its key)"""
    path = fetcher.verified_path(manifest, shard.payload, home=manifest.home_of(shard))
    wanted = pa.array(list(keys), pa.string())
    found: list[tuple[int, str]] = []
    first_row = 0
    try:
        for batch in map_payload(path):
            rows = pc.indices_nonzero(pc.is_in(batch.column("key"), value_set=wanted)).to_pylist()
            found += [(first_row + row, batch.column("key")[row].as_py()) for row in rows]
            first_row += batch.num_rows
    except pa.ArrowException as error:
        raise CorruptFile(shard.payload.name, str(error), manifest.remedy) from error
    return found
