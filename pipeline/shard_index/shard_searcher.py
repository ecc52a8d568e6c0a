"""`ShardSearcher`: answers over the shards that one process holds. A plain class; Ray actors only wrap it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, concatenate
from operators.hashers.hasher import CodeKind
from operators.ranked_neighbors import RankedNeighbors
from operators.search.allowed_rows import AllowedRows
from operators.search.asymmetric_scan import warm_up_tables
from operators.search.merge_ranked import merge_ranked
from operators.search.scan_options import ScanOptions
from operators.search.search_kinds import NearestQuestion
from operators.search.search_queries import SearchQueries
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.deleted_ids import NO_IDS, is_among, open_deleted, within
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_shard import IndexShard, open_shard
from pipeline.shard_index.search_scope import EVERYTHING, ColumnCondition, SearchScope
from pipeline.shard_index.shard_fetch import ShardFetcher


@dataclass(frozen=True, kw_only=True)
class SearcherSpec:
    """All that a searcher needs to build itself on any machine. It pins one generation. `num_threads` share a scan,
    which runs on `device`."""

    catalog: str
    index: str
    generation: str
    shard_names: tuple[str, ...]
    cache_dir: Path | None = None
    num_threads: int = 1
    device: str = "cpu"


_SCOPES_KEPT = 64


class ShardSearcher:
    """Search over a few shards of one generation; rows with `deleted` ids (ascending) are none of them. Safe to call
    from several threads."""

    def __init__(
        self,
        shards: Sequence[IndexShard],
        num_threads: int = 1,
        code_kind: CodeKind = "binary",
        deleted: NDArray[np.int64] = NO_IDS,
    ) -> None:
        if not shards:
            raise ValueError("a searcher needs at least one shard")
        self._shards = tuple(sorted(shards, key=lambda shard: shard.entry.first_row))
        self._num_threads = num_threads
        self._code_kind = code_kind
        self._deleted = deleted
        self._living = tuple(_living_rows(shard, deleted) for shard in self._shards)
        self._stopped = threading.Event()
        self._allowed = lru_cache(_SCOPES_KEPT)(self._allowed_rows)

    @classmethod
    def open(cls, spec: SearcherSpec) -> ShardSearcher:
        """Open and verify the shards named in `spec`. Raises `CorruptFile` and `StorageError`."""
        store = open_store(spec.catalog)
        manifest = IndexCatalog(spec.catalog, store).manifest(spec.index, spec.generation)
        fetcher = ShardFetcher(spec.catalog, store, spec.cache_dir)
        shards = [open_shard(manifest, name, fetcher, spec.device) for name in spec.shard_names]
        return cls(shards, spec.num_threads, manifest.code_kind, open_deleted(manifest, fetcher))

    @property
    def shard_names(self) -> tuple[str, ...]:
        return tuple(shard.entry.name for shard in self._shards)

    @property
    def num_rows(self) -> int:
        """Rows that answer."""
        return sum(shard.entry.num_living for shard in self._shards)

    def search(self, queries: SearchQueries, k: int, scope: SearchScope = EVERYTHING) -> RankedNeighbors:
        """The `k` nearest rows of these shards, of those in `scope`. Raises `ShapeMismatch`, `InvalidSetting`,
        `UsageError`, and `SearchCancelled` after `stop`."""
        ranked = self._search_shard(0, queries, k, scope)
        last_id = self._shards[0].entry.last_id
        for number in range(1, len(self._shards)):
            entry = self._shards[number].entry
            nearer = replace(scope, radius=_radius_left(ranked, scope, loses_ties=entry.first_id > last_id))
            ranked = merge_ranked([ranked, self._search_shard(number, queries, k, nearer)], k=k)
            last_id = max(last_id, entry.last_id)
        return ranked

    def warm_up(self) -> None:
        """Have the search compiled (seconds for a width that this machine has not met) before the first query, and what
        Arrow loads for a first look-up (up to half a second)."""
        self.payload(NO_IDS)
        if self._code_kind == "quantized":
            warm_up_tables(self._shards[0].codes.num_bits)
        else:
            self._shards[0].search.warm_up()

    def stop(self) -> None:
        """Searches under way end soon, and no later one answers."""
        self._stopped.set()

    def payload(self, ids: NDArray[np.int64]) -> pa.Table:
        """`id` and payload of those of the ids that are here, in their order."""
        nothing = self._shards[0].payload_rows(NO_IDS)
        tables, places = [nothing], [np.empty(0, np.intp)]
        for shard, rows, positions in self._owners(ids):
            tables.append(shard.payload_rows(positions))
            places.append(rows)
        order = np.argsort(np.concatenate(places), kind="stable")
        found = pa.concat_tables(tables).take(pa.array(order))
        return found.add_column(0, "id", pa.array(ids[np.concatenate(places)[order]]))

    def codes_of(self, ids: NDArray[np.int64]) -> BinaryCodes:
        """Codes of those of the ids that are here, in their order."""
        parts, places = [self._shards[0].codes[slice(0, 0)]], [np.empty(0, np.intp)]
        for shard, rows, positions in self._owners(ids):
            parts.append(shard.codes[positions])
            places.append(rows)
        return concatenate(parts)[np.argsort(np.concatenate(places), kind="stable")]

    def ids_of_key(self, key: str) -> list[int]:
        """Ids of every item with this key, ascending."""
        found = np.array([item for shard in self._shards for item in shard.ids_of_key(key)], np.int64)
        living: list[int] = np.sort(found[~is_among(found, self._deleted)]).tolist()
        return living

    def _search_shard(self, number: int, queries: SearchQueries, k: int, scope: SearchScope) -> RankedNeighbors:
        shard = self._shards[number]
        options = ScanOptions(
            num_threads=self._num_threads,
            allowed=self._allowed(number, scope.where) if scope.where else self._living[number],
            cancelled=self._stopped.is_set,
        )
        question = NearestQuestion(queries=queries, ids=shard.ids, k=k, below=scope.below, options=options)
        return shard.search.nearest(question)

    def _allowed_rows(self, number: int, where: tuple[ColumnCondition, ...]) -> AllowedRows:
        held = AllowedRows.from_mask(SearchScope(where=where).rows_where(self._shards[number].payload_batches))
        living = self._living[number]
        return held if living is None else held & living

    def _owners(self, ids: NDArray[np.int64]) -> list[tuple[IndexShard, NDArray[np.intp], NDArray[np.int64]]]:
        """For each shard that holds some: the places in `ids` that it holds, and their positions in the shard."""
        owners = []
        living = ~is_among(ids, self._deleted)
        for shard in self._shards:
            positions = shard.positions_of(ids)
            rows = np.flatnonzero((positions >= 0) & living)
            if len(rows):
                owners.append((shard, rows, positions[rows]))
        return owners


def _living_rows(shard: IndexShard, deleted: NDArray[np.int64]) -> AllowedRows | None:
    """The rows that answer; None where all do, which costs a scan nothing."""
    positions = shard.positions_of(within(deleted, shard.entry.first_id, shard.entry.last_id))
    positions = positions[positions >= 0]
    return AllowedRows.all_but(positions, shard.num_rows) if len(positions) else None


def _radius_left(ranked: RankedNeighbors, scope: SearchScope, *, loses_ties: bool) -> int | None:
    """How far an item of the next shard may be, given the k of those before. Of several queries the one that leaves
    most counts. `loses_ties`: its ids are higher than all before, or else one that is as far as the k-th may win."""
    is_hamming = ranked.distances.dtype == np.int32
    if not is_hamming or not len(ranked.counts) or ranked.counts.min() < ranked.k:
        return scope.radius
    farthest = max(0, int(ranked.distances[:, -1].max()) - loses_ties)
    return farthest if scope.radius is None else min(farthest, scope.radius)
