"""`QueryRouter`: one call per searcher per batch of queries, an exact merge, and the payload of the winners."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.merge_ranked import merge_ranked
from operators.search.search_queries import SearchQueries
from pipeline.errors import SearchError, UnknownItem, UsageError
from pipeline.records import Coverage
from pipeline.routing.fan_out import Deadline, gather
from pipeline.routing.query_checks import check_item_id, check_k, check_queries, check_scope
from pipeline.routing.search_answer import Neighbor, RankedAnswer, SearchAnswer
from pipeline.routing.searcher_port import SearcherPort
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.search_scope import EVERYTHING, SearchScope

# Of the deadline: a searcher that hangs must leave time to look up what the others found.
_RANKING_SHARE = 0.75


@dataclass(frozen=True)
class _Failing:
    """What becomes of shards that fail or are late."""

    allow_partial: bool
    deadline: Deadline


class QueryRouter:
    """Answers from the one generation that `manifest` describes. Safe to call from several threads.

    Every call ends within `deadline_seconds`. A searcher that fails or is late makes the call raise `SearchError` that
    names its shards; where `allow_partial` is set and others answered, the coverage of the answer names them instead.
    """

    def __init__(self, manifest: IndexManifest, searchers: Sequence[SearcherPort], *, deadline_seconds: float) -> None:
        served = sorted(name for searcher in searchers for name in searcher.shard_names)
        if served != sorted(shard.name for shard in manifest.shards):
            raise ValueError(f"searchers hold {served}, expected each of {len(manifest.shards)} shards once")
        if not deadline_seconds > 0:
            raise UsageError(f"deadline_seconds = {deadline_seconds}: expected more than 0")
        self.manifest = manifest
        self._searchers = {searcher.name: searcher for searcher in searchers}
        self._owner = {name: searcher.name for searcher in searchers for name in searcher.shard_names}
        self._first_ids = np.array([shard.first_id for shard in manifest.shards], np.int64)
        self._last_ids = np.array([shard.last_id for shard in manifest.shards], np.int64)
        self._deadline_seconds = deadline_seconds

    def rank(
        self,
        queries: SearchQueries,
        *,
        k: int,
        scope: SearchScope = EVERYTHING,
        allow_partial: bool = False,
    ) -> RankedAnswer:
        """Ids and distances of the `k` nearest items of each query, of those in `scope`. Raises `UsageError` and
        `SearchError`."""
        check_k(k)
        failing = _Failing(allow_partial, Deadline.after(self._deadline_seconds))
        return self._rank(queries, k, scope, failing)

    def search(
        self,
        queries: SearchQueries,
        *,
        k: int,
        scope: SearchScope = EVERYTHING,
        allow_partial: bool = False,
        exclude_id: int | None = None,
        with_payload: bool = True,
    ) -> SearchAnswer:
        """The `k` nearest items of each query, of those in `scope`, with their payload if asked; never `exclude_id`.

        Raises `UsageError` and `SearchError`.
        """
        check_k(k)
        deadline = Deadline.after(self._deadline_seconds)
        failing = _Failing(allow_partial, Deadline.after(_RANKING_SHARE * self._deadline_seconds))
        answer = self._rank(queries, k if exclude_id is None else k + 1, scope, failing)
        rows = [_pairs(answer.ranked, query, exclude_id)[:k] for query in range(len(queries))]
        started = time.monotonic()
        ids = np.unique(np.array([item for row in rows for _, item in row], np.int64))
        payload, failures = self._payload_by_id(ids, deadline) if with_payload else ({}, {})
        failures = {**failures, **answer.failures}
        self._check_failures(failures, allow_partial)
        return SearchAnswer(
            index=self.manifest.index,
            generation=self.manifest.generation,
            model_id=self.manifest.model_id,
            num_bits=self.manifest.num_bits,
            k=k,
            neighbors=tuple(_neighbors(row, payload) for row in rows),
            coverage=replace(answer.coverage, failed_shards=tuple(sorted(failures))),
            failures=failures,
            timings_seconds={"search": answer.seconds, "payload": time.monotonic() - started},
        )

    def coverage(self, deadline_seconds: float) -> Coverage:
        """How much of the index would answer now. Searchers are asked for the codes of no item, which costs them
        nothing; one that says nothing within `deadline_seconds` counts as missing."""
        no_ids = np.empty(0, np.int64)
        futures = {name: searcher.codes_of(no_ids) for name, searcher in self._searchers.items()}
        return self._coverage(self._by_shard(gather(futures, Deadline.after(deadline_seconds)).failures))

    def payload_of(self, ids: NDArray[np.int64]) -> pa.Table:
        """Payload rows of at least one id, in the order asked. Raises `UnknownItem`, `SearchError`."""
        unique, places = np.unique(ids, return_inverse=True)
        tables, failures = self._payload_tables(unique, Deadline.after(self._deadline_seconds))
        self._check_failures(failures, allow_partial=False)
        if not tables:
            raise self._unknown(int(unique[0]))
        found = pa.concat_tables(tables)
        missing = np.setdiff1d(unique, found.column("id").to_numpy())
        if len(missing):
            raise self._unknown(int(missing[0]))
        return found.sort_by("id").drop_columns("id").take(pa.array(places))

    def code_of(self, item_id: int) -> BinaryCodes:
        """The code of an indexed item. Raises `UnknownItem`, `UsageError` for what is no id, `SearchError`."""
        ids = np.array([check_item_id(item_id)], np.int64)
        futures = {name: self._searchers[name].codes_of(ids) for name in self._places_by_searcher(ids)}
        gathered = gather(futures, Deadline.after(self._deadline_seconds))
        self._check_failures(self._by_shard(gathered.failures), allow_partial=False)
        for codes in gathered.replies.values():
            if len(codes):
                return codes
        raise self._unknown(item_id)

    def id_of_key(self, key: str) -> int:
        """The id of the item with this key. Raises `UnknownItem`, `UsageError` for several items, `SearchError`."""
        futures = {name: searcher.ids_of_key(key) for name, searcher in self._searchers.items()}
        gathered = gather(futures, Deadline.after(self._deadline_seconds))
        self._check_failures(self._by_shard(gathered.failures), allow_partial=False)
        ids = sorted(item for found in gathered.replies.values() for item in found)
        if not ids:
            raise UnknownItem(f"index {self.manifest.index} holds no item with key {key!r}")
        if len(ids) > 1:
            named = ", ".join(map(str, ids[:5]))
            raise UsageError(f"{len(ids)} items of index {self.manifest.index} have key {key!r}; ask by id: {named}")
        return ids[0]

    def _rank(self, queries: SearchQueries, k: int, scope: SearchScope, failing: _Failing) -> RankedAnswer:
        check_queries(queries, self.manifest)
        check_scope(scope, self.manifest)
        started = time.monotonic()
        futures = {name: searcher.search(queries, k, scope) for name, searcher in self._searchers.items()}
        gathered = gather(futures, failing.deadline)
        failures = self._by_shard(gathered.failures)
        self._check_failures(failures, failing.allow_partial)
        return RankedAnswer(
            ranked=merge_ranked(list(gathered.replies.values()), k=k),
            coverage=self._coverage(failures),
            failures=failures,
            seconds=time.monotonic() - started,
        )

    def _coverage(self, failures: Mapping[str, str]) -> Coverage:
        rows_missing = sum(self.manifest.shard(name).num_living for name in failures)
        return Coverage(
            rows_searched=self.manifest.num_rows - rows_missing,
            rows_total=self.manifest.num_rows,
            failed_shards=tuple(sorted(failures)),
        )

    def _payload_by_id(
        self, ids: NDArray[np.int64], deadline: Deadline
    ) -> tuple[dict[int, dict[str, Any]], dict[str, str]]:
        tables, failures = self._payload_tables(ids, deadline)
        return {row.pop("id"): row for table in tables for row in table.to_pylist()}, failures

    def _payload_tables(self, ids: NDArray[np.int64], deadline: Deadline) -> tuple[list[pa.Table], dict[str, str]]:
        """`id` and payload rows of every searcher that answered, and failures by shard."""
        asked = self._places_by_searcher(ids)
        gathered = gather({name: self._searchers[name].payload(ids[rows]) for name, rows in asked.items()}, deadline)
        return list(gathered.replies.values()), self._by_shard(gathered.failures)

    def _places_by_searcher(self, ids: NDArray[np.int64]) -> dict[str, NDArray[np.intp]]:
        """Places in `ids` of the items that each searcher may hold, by the id ranges of its shards. Ranges of delta
        shards overlap those of others: then several are asked, and one of them has the item."""
        order = np.argsort(ids, kind="stable")
        starts = np.searchsorted(ids, self._first_ids, sorter=order)
        stops = np.searchsorted(ids, self._last_ids, side="right", sorter=order)
        places: dict[str, list[NDArray[np.intp]]] = {}
        for number in np.flatnonzero(stops > starts).tolist():
            owner = self._owner[self.manifest.shards[number].name]
            places.setdefault(owner, []).append(order[starts[number] : stops[number]])
        return {owner: np.unique(np.concatenate(parts)) for owner, parts in places.items()}

    def _unknown(self, item_id: int) -> UnknownItem:
        return UnknownItem(f"index {self.manifest.index} holds no item with id {item_id}")

    def _by_shard(self, failures: Mapping[str, str]) -> dict[str, str]:
        return {shard: reason for name, reason in failures.items() for shard in self._searchers[name].shard_names}

    def _check_failures(self, failures: Mapping[str, str], allow_partial: bool) -> None:
        """Raises `SearchError` when partial answers are not allowed, or nothing is left to answer from."""
        num_shards = len(self.manifest.shards)
        if not failures or (allow_partial and len(failures) < num_shards):
            return
        reasons = "; ".join(f"{shard} ({reason})" for shard, reason in sorted(failures.items()))
        raise SearchError(
            f"index {self.manifest.index}, generation {self.manifest.generation}: "
            f"{len(failures)} of {num_shards} shards did not answer: {reasons}"
        )


def _pairs(ranked: RankedNeighbors, query: int, exclude_id: int | None) -> list[tuple[int | float, int]]:
    """(distance, id) of one query's answers, without `exclude_id`."""
    distances, ids = ranked.row(query)
    pairs = zip(distances.tolist(), ids.tolist(), strict=True)
    return [(distance, item) for distance, item in pairs if item != exclude_id]


def _neighbors(row: list[tuple[int | float, int]], payload: Mapping[int, Mapping[str, Any]]) -> tuple[Neighbor, ...]:
    neighbors = []
    for rank, (distance, item) in enumerate(row, start=1):
        columns = dict(payload.get(item, {}))
        key, uri = columns.pop("key", ""), columns.pop("uri", "")
        neighbors.append(Neighbor(rank=rank, id=item, distance=distance, key=key, uri=uri, payload=columns))
    return tuple(neighbors)
