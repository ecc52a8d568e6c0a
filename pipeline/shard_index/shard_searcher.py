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
from pipeline.errors import UsageError
from pipeline.object_store.open_store import open_store
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
    """Search over a few shards of one generation. Safe to call from several threads."""

    def __init__(self, shards: Sequence[IndexShard], num_threads: int = 1, code_kind: CodeKind = "binary") -> None:
        if not shards:
            raise ValueError("a searcher needs at least one shard")
        self._shards = tuple(sorted(shards, key=lambda shard: shard.entry.first_row))
        self._num_threads = num_threads
        self._code_kind = code_kind
        self._stopped = threading.Event()
        self._allowed = lru_cache(_SCOPES_KEPT)(self._allowed_rows)

    @classmethod
    def open(cls, spec: SearcherSpec) -> ShardSearcher:
        """Open and verify the shards named in `spec`. Raises `CorruptFile` and `StorageError`."""
        store = open_store(spec.catalog)
        manifest = IndexCatalog(spec.catalog, store).manifest(spec.index, spec.generation)
        fetcher = ShardFetcher(spec.catalog, store, spec.cache_dir)
        shards = [open_shard(manifest, name, fetcher, spec.device) for name in spec.shard_names]
        return cls(shards, spec.num_threads, manifest.code_kind)

    @property
    def shard_names(self) -> tuple[str, ...]:
        return tuple(shard.entry.name for shard in self._shards)

    @property
    def num_rows(self) -> int:
        return sum(shard.num_rows for shard in self._shards)

    def search(self, queries: SearchQueries, k: int, scope: SearchScope = EVERYTHING) -> RankedNeighbors:
        """The `k` nearest rows of these shards, of those in `scope`. Raises `ShapeMismatch`, `InvalidSetting`,
        `UsageError`, and `SearchCancelled` after `stop`."""
        ranked = self._search_shard(0, queries, k, scope)
        for number in range(1, len(self._shards)):
            nearer = replace(scope, radius=_radius_left(ranked, scope))
            ranked = merge_ranked([ranked, self._search_shard(number, queries, k, nearer)], k=k)
        return ranked

    def warm_up(self) -> None:
        """Have the search compiled (seconds for a width that this machine has not met) before the first query."""
        if self._code_kind == "quantized":
            warm_up_tables(self._shards[0].codes.num_bits)
        else:
            self._shards[0].search.warm_up()

    def stop(self) -> None:
        """Searches under way end soon, and no later one answers."""
        self._stopped.set()

    def payload(self, ids: NDArray[np.int64]) -> pa.Table:
        """Payload rows of these ids, in their order. Raises `UsageError` for an id that is not here."""
        tables, order = [self._shards[0].payload_rows(np.empty(0, np.int64))], [np.empty(0, np.int64)]
        for shard, rows, positions in self._owners(ids):
            tables.append(shard.payload_rows(positions))
            order.append(rows)
        return pa.concat_tables(tables).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))

    def codes_of(self, ids: NDArray[np.int64]) -> BinaryCodes:
        """Codes of these ids, in their order. Raises `UsageError` for an id that is not here."""
        parts, order = [self._shards[0].codes[slice(0, 0)]], [np.empty(0, np.int64)]
        for shard, rows, positions in self._owners(ids):
            parts.append(shard.codes[positions])
            order.append(rows)
        return concatenate(parts)[np.argsort(np.concatenate(order), kind="stable")]

    def ids_of_key(self, key: str) -> list[int]:
        """Ids of every item with this key, ascending."""
        return sorted(item for shard in self._shards for item in shard.ids_of_key(key))

    def _search_shard(self, number: int, queries: SearchQueries, k: int, scope: SearchScope) -> RankedNeighbors:
        shard = self._shards[number]
        options = ScanOptions(
            num_threads=self._num_threads,
            allowed=self._allowed(number, scope.where) if scope.where else None,
            cancelled=self._stopped.is_set,
        )
        question = NearestQuestion(queries=queries, ids=shard.ids, k=k, below=scope.below, options=options)
        return shard.search.nearest(question)

    def _allowed_rows(self, number: int, where: tuple[ColumnCondition, ...]) -> AllowedRows:
        return AllowedRows.from_mask(SearchScope(where=where).rows_where(self._shards[number].payload_batches))

    def _owners(self, ids: NDArray[np.int64]) -> list[tuple[IndexShard, NDArray[np.int64], NDArray[np.int64]]]:
        """For each shard that holds some: the places in `ids` that it holds, and their positions in the shard."""
        owners, num_found = [], 0
        for shard in self._shards:
            positions = shard.positions_of(ids)
            rows = np.flatnonzero(positions >= 0)
            num_found += len(rows)
            if len(rows):
                owners.append((shard, rows, positions[rows]))
        if num_found != len(ids):
            known = np.concatenate([np.empty(0, np.int64), *(ids[rows] for _, rows, _ in owners)])
            named = ", ".join(map(str, np.setdiff1d(ids, known)[:5]))
            raise UsageError(f"no item with id {named} in {', '.join(self.shard_names)}")
        return owners


def _radius_left(ranked: RankedNeighbors, scope: SearchScope) -> int | None:
    """How far an item of a later shard may be: its id is higher, so that it loses every tie with the k that earlier
    shards gave. Of several queries the one that leaves most counts."""
    is_hamming = ranked.distances.dtype == np.int32
    if not is_hamming or not len(ranked.counts) or ranked.counts.min() < ranked.k:
        return scope.radius
    farthest = max(0, int(ranked.distances[:, -1].max()) - 1)
    return farthest if scope.radius is None else min(farthest, scope.radius)
