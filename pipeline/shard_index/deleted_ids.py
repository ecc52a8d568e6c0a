"""Ids of a generation's rows that no longer answer: read, checked, and told from others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import CorruptFile
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.mapped_array import map_array
from pipeline.shard_index.shard_fetch import ShardFetcher

DELETED_NAME = "deleted.npy"
NO_IDS = np.empty(0, np.int64)


def open_deleted(manifest: IndexManifest, fetcher: ShardFetcher) -> NDArray[np.int64]:
    """int64 `(num_deleted,)`, ascending. Raises `CorruptFile` and `StorageError`."""
    if manifest.deleted is None:
        return NO_IDS
    path = fetcher.verified_path(manifest, manifest.deleted)
    try:
        ids: NDArray[np.int64] = map_array(path)
    except ValueError as error:
        raise CorruptFile(manifest.deleted.name, str(error), manifest.remedy) from error
    if ids.dtype != np.int64 or ids.shape != (manifest.num_deleted,) or (np.diff(ids) <= 0).any():
        wrong = f"{ids.dtype} {ids.shape}, expected {manifest.num_deleted} ascending int64"
        raise CorruptFile(manifest.deleted.name, wrong, manifest.remedy)
    return ids


def is_among(ids: NDArray[np.int64], ascending: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Booleans `(len(ids),)`: which of `ids` are in `ascending`, of which only a few pages are read."""
    if not len(ascending):
        return np.zeros(len(ids), bool)
    places = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    found: NDArray[np.bool_] = ascending[places] == ids
    return found


def within(ids: NDArray[np.int64], first_id: int, last_id: int) -> NDArray[np.int64]:
    """Those of ascending `ids` from `first_id` to `last_id` inclusive, not copied."""
    start, stop = np.searchsorted(ids, first_id), np.searchsorted(ids, last_id, side="right")
    return ids[start:stop]
