"""`ActorGenerations`: generations of one index, searched by Ray actors that outlive them."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack

import ray
from ray.exceptions import RayTaskError

from pipeline.actors.replicated_port import Replicas, replicated_port
from pipeline.actors.serving_searcher import start_serving_searchers
from pipeline.errors import SearchError
from pipeline.jobs.generation_opening import OpenedIndex, searcher_specs, session_over
from pipeline.routing.fan_out import Deadline, gather
from pipeline.routing.search_session import SearchSession
from pipeline.settings import ServeSettings
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.shard_placement import place_shards
from pipeline.shard_index.shard_searcher import SearcherSpec

_OPEN_SECONDS = 120.0


class ActorGenerations:
    """`search.num_searchers` places with `serve.num_replicas` actors each, in the Ray that the caller has joined. Ends
    with `close`."""

    def __init__(self, opened: OpenedIndex, serve: ServeSettings) -> None:
        self._opened = opened
        self._places = [
            Replicas(start_serving_searchers(serve.num_replicas, num_cpus=serve.searcher_num_cpus))
            for _ in range(opened.search.num_searchers)
        ]
        self._num_users: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._all_started = False

    @property
    def places(self) -> list[Replicas]:
        return self._places

    def open(self, generation: str, closing: ExitStack) -> SearchSession:
        """As `OpenGeneration` of `LiveIndex`: every actor has its shards open. Raises what opening them and the model
        raises, and `SearchError` when actors do not start."""
        opened = self._opened
        manifest = opened.catalog_of_indexes.manifest(opened.index, generation)
        specs = searcher_specs(opened, manifest, place_shards(manifest.shards, len(self._places)))
        with self._lock:
            self._num_users[generation] += 1
        closing.callback(self._forget, generation, specs)
        self._open_everywhere(manifest, specs)
        ports = [
            replicated_port(f"searcher {number}", spec, replicas)
            for number, (spec, replicas) in enumerate(zip(specs, self._places, strict=False))
        ]
        return session_over(opened, manifest, ports)

    def close(self) -> None:
        """End the actors."""
        for replicas in self._places:
            for actor in replicas.actors:
                ray.kill(actor)

    def _open_everywhere(self, manifest: IndexManifest, specs: list[SearcherSpec]) -> None:
        """At first every actor must be there. Later one replica of each place suffices: another that has died opens its
        shards when it is back."""
        opening = {
            f"searcher {number}, replica {replica}": actor.open.remote(spec).future()
            for number, (spec, replicas) in enumerate(zip(specs, self._places, strict=False))
            for replica, actor in enumerate(replicas.actors)
        }
        gathered = gather(opening, Deadline.after(_OPEN_SECONDS))
        for name in gathered.failures:
            error = opening[name].exception() if opening[name].done() and not opening[name].cancelled() else None
            if isinstance(error, RayTaskError):
                raise error.cause
        places = {name.partition(",")[0] for name in gathered.replies}
        if gathered.failures and (len(places) < len(specs) or not self._all_started):
            free = ray.available_resources().get("CPU", 0)
            raise SearchError(
                f"index {manifest.index}: {len(gathered.failures)} of {len(opening)} searchers did not start within "
                f"{_OPEN_SECONDS:g} s ({free:g} CPUs are free): lower search.num_searchers, serve.num_replicas or "
                "serve.searcher_num_cpus, or add machines"
            )
        self._all_started = True

    def _forget(self, generation: str, specs: list[SearcherSpec]) -> None:
        """Unless another session of this service has the generation open as well."""
        with self._lock:
            self._num_users[generation] -= 1
            if self._num_users[generation]:
                return
        for spec, replicas in zip(specs, self._places, strict=False):
            for actor in replicas.actors:
                actor.forget.remote(spec)
