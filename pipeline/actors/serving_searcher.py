"""`ServingSearcher`: a Ray actor that lives as long as the service, and holds its shards of several generations."""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.actor import ActorHandle

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.search_queries import SearchQueries
from pipeline.shard_index.search_scope import SearchScope
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from pipeline.shard_index.shard_shelf import ShardShelf

# The passes that a batcher has in flight, the look-ups beside them, and the opening of a new generation.
_MAX_CONCURRENCY = 8


@ray.remote(max_restarts=-1, max_task_retries=0, max_concurrency=_MAX_CONCURRENCY)
class ServingSearcher:
    """Every call says by its spec which shards of which generation it means; those that are not open are opened first,
    so that a process which Ray has started anew answers as the one before. Errors are those of `ShardSearcher`."""

    def __init__(self) -> None:
        self._shelf = ShardShelf()
        self._searchers: dict[SearcherSpec, ShardSearcher] = {}
        self._opening = threading.Lock()

    def open(self, spec: SearcherSpec) -> int:
        """Open and warm up; the id of the process."""
        self._searcher(spec)
        return os.getpid()

    def forget(self, spec: SearcherSpec) -> None:
        """End what still searches there, and let go of shards that no other generation has."""
        with self._opening:
            searcher = self._searchers.pop(spec, None)
            self._shelf.forget(spec.generation)
        if searcher is not None:
            searcher.stop()

    def search(self, spec: SearcherSpec, queries: SearchQueries, k: int, scope: SearchScope) -> RankedNeighbors:
        return self._searcher(spec).search(queries, k, scope)

    def payload(self, spec: SearcherSpec, ids: NDArray[np.int64]) -> pa.Table:
        return self._searcher(spec).payload(ids)

    def codes_of(self, spec: SearcherSpec, ids: NDArray[np.int64]) -> BinaryCodes:
        return self._searcher(spec).codes_of(ids)

    def ids_of_key(self, spec: SearcherSpec, key: str) -> list[int]:
        return self._searcher(spec).ids_of_key(key)

    def _searcher(self, spec: SearcherSpec) -> ShardSearcher:
        found = self._searchers.get(spec)
        if found is not None:
            return found
        with self._opening:
            if spec not in self._searchers:
                searcher = self._shelf.searcher(spec)
                searcher.warm_up()
                self._searchers[spec] = searcher
            return self._searchers[spec]


def start_serving_searchers(num_actors: int, *, num_cpus: float) -> list[ActorHandle]:
    """That many actors, which may still be starting."""
    actor_class: Any = ServingSearcher
    return [actor_class.options(num_cpus=num_cpus).remote() for _ in range(num_actors)]
