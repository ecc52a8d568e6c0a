"""`StoredIds`: the ids of a generation's rows, of deleted ones too, without opening codes or payload."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch
from operators.search.block_scan import check_ids
from pipeline.errors import CorruptFile
from pipeline.shard_index.deleted_ids import is_among, within
from pipeline.shard_index.index_manifest import IndexManifest, ShardEntry
from pipeline.shard_index.mapped_array import map_array
from pipeline.shard_index.shard_fetch import ShardFetcher


class StoredIds:
    """Shards are opened and verified when an id falls into their range. Raises `CorruptFile` and `StorageError`."""

    def __init__(self, manifest: IndexManifest, fetcher: ShardFetcher) -> None:
        self._manifest = manifest
        self._fetcher = fetcher
        self._opened: dict[str, NDArray[np.int64]] = {}

    def stored(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ascending `ids` that the generation has rows of."""
        parts = [self.stored_in(shard, ids) for shard in self._manifest.shards]
        return np.sort(np.concatenate([np.empty(0, np.int64), *parts]))

    def stored_in(self, shard: ShardEntry, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of ascending `ids` that a shard has rows of."""
        asked = within(ids, shard.first_id, shard.last_id)
        return asked[is_among(asked, self.rows_of(shard))] if len(asked) else asked

    def rows_of(self, shard: ShardEntry) -> NDArray[np.int64]:
        """The ids of a shard, row by row."""
        if shard.name not in self._opened:
            path = self._fetcher.verified_path(self._manifest, shard.ids, home=self._manifest.home_of(shard))
            try:
                ids: NDArray[np.int64] = map_array(path)
                check_ids(ids, shard.num_rows)
            except (ValueError, ShapeMismatch) as error:
                raise CorruptFile(shard.ids.name, str(error), self._manifest.remedy) from error
            self._opened[shard.name] = ids
        return self._opened[shard.name]
