"""`SearcherActor`: a Ray shell around `ShardSearcher`, and the port through which the router calls it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.search_queries import SearchQueries
from pipeline.errors import SearchError
from pipeline.routing.fan_out import Deadline, gather
from pipeline.routing.searcher_port import SearcherPort
from pipeline.shard_index.search_scope import SearchScope
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher


@ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)
class SearcherActor:
    """Holds its shards for as long as it lives. `open` is a call of its own so that its errors keep their type."""

    def open(self, spec: SearcherSpec) -> None:
        self._searcher = ShardSearcher.open(spec)
        self._searcher.warm_up()

    def search(self, queries: SearchQueries, k: int, scope: SearchScope) -> RankedNeighbors:
        return self._searcher.search(queries, k, scope)

    def payload(self, ids: NDArray[np.int64]) -> pa.Table:
        return self._searcher.payload(ids)

    def codes_of(self, ids: NDArray[np.int64]) -> BinaryCodes:
        return self._searcher.codes_of(ids)

    def ids_of_key(self, key: str) -> list[int]:
        return self._searcher.ids_of_key(key)


def start_searchers(specs: Sequence[SearcherSpec], *, deadline_seconds: float) -> dict[str, ActorHandle]:
    """One actor per spec, by name, each with its shards open. On failure none is left running.

    Raises what `ShardSearcher.open` raised, or `SearchError` when actors did not start in time (too few CPUs) or died.
    """
    actor_class: Any = SearcherActor
    actors = {f"searcher {number}": actor_class.remote() for number in range(len(specs))}
    opening = {name: call(actor.open)(spec) for (name, actor), spec in zip(actors.items(), specs, strict=True)}
    with ExitStack() as on_failure:
        on_failure.callback(stop_searchers, actors)
        failures = gather(opening, Deadline.after(deadline_seconds)).failures
        for name in failures:
            if opening[name].done():
                opening[name].result()
        if failures:
            free = ray.available_resources().get("CPU", 0)
            raise SearchError(
                f"{len(failures)} of {len(specs)} searchers did not start within {deadline_seconds:g} s; each needs "
                f"one CPU, {free:g} are free: set search.num_searchers lower or add machines"
            )
        on_failure.pop_all()
    return actors


def stop_searchers(actors: dict[str, ActorHandle]) -> None:
    for actor in actors.values():
        ray.kill(actor)


def actor_port(name: str, shard_names: tuple[str, ...], actor: ActorHandle) -> SearcherPort:
    return SearcherPort(
        name=name,
        shard_names=shard_names,
        search=call(actor.search),
        payload=call(actor.payload),
        codes_of=call(actor.codes_of),
        ids_of_key=call(actor.ids_of_key),
    )


def call(method: Any) -> Callable[..., Future[Any]]:
    """An actor's method as a function that returns a future, whose error is the searcher's own."""

    def start(*arguments: Any) -> Future[Any]:
        reply: Future[Any] = Future()
        reply.set_running_or_notify_cancel()
        method.remote(*arguments).future().add_done_callback(lambda done: _hand_over(done, reply))
        return reply

    return start


def _hand_over(done: Future[Any], reply: Future[Any]) -> None:
    error = done.exception()
    if error is None:
        reply.set_result(done.result())
    elif isinstance(error, RayTaskError):
        reply.set_exception(error.cause)
    elif isinstance(error, RayActorError):
        reply.set_exception(SearchError("its process died"))
    else:
        reply.set_exception(error)
