"""`replicated_port`: several actors that hold the same shards, as one searcher of the router."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ray.actor import ActorHandle
from ray.exceptions import RayActorError, RayTaskError

from pipeline.errors import SearchError
from pipeline.routing.searcher_port import SearcherPort
from pipeline.shard_index.shard_searcher import SearcherSpec

# How long others are asked first after a replica has failed.
_AVOIDED_SECONDS = 1.0


@dataclass(eq=False)
class _Replica:
    actor: ActorHandle
    num_busy: int = 0
    failed_at: float = field(default=float("-inf"))


class Replicas:
    """Actors with the same shards. A call goes to the least busy; when its process dies under it, once more to another.
    Safe to call from several threads."""

    def __init__(self, actors: Sequence[ActorHandle]) -> None:
        self._replicas = [_Replica(actor) for actor in actors]
        self._lock = threading.Lock()

    @property
    def actors(self) -> list[ActorHandle]:
        return [replica.actor for replica in self._replicas]

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """What `method` of an actor gives, or the error that it raised there; `SearchError` when processes died."""
        reply: Future[Any] = Future()
        reply.set_running_or_notify_cancel()
        self._send(_Call(method, arguments, reply), without=None)
        return reply

    def _send(self, call: _Call, without: _Replica | None) -> None:
        replica = self._take(without)
        sent = getattr(replica.actor, call.method).remote(*call.arguments)
        sent.future().add_done_callback(partial(self._hand_over, call, replica, without is None))

    def _take(self, without: _Replica | None) -> _Replica:
        with self._lock:
            avoided_since = time.monotonic() - _AVOIDED_SECONDS
            chosen = min(
                (replica for replica in self._replicas if replica is not without),
                key=lambda replica: (replica.failed_at > avoided_since, replica.num_busy),
            )
            chosen.num_busy += 1
            return chosen

    def _hand_over(self, call: _Call, replica: _Replica, may_retry: bool, done: Future[Any]) -> None:
        error = done.exception()
        died = isinstance(error, RayActorError) and not isinstance(error, RayTaskError)
        with self._lock:
            replica.num_busy -= 1
            if died:
                replica.failed_at = time.monotonic()
        if error is None:
            call.reply.set_result(done.result())
        elif died and may_retry and len(self._replicas) > 1:
            self._send(call, without=replica)
        elif died:
            call.reply.set_exception(SearchError("its process died; Ray starts it anew"))
        else:
            call.reply.set_exception(error.cause if isinstance(error, RayTaskError) else error)


@dataclass(frozen=True, eq=False)
class _Call:
    method: str
    arguments: tuple[Any, ...]
    reply: Future[Any]


def replicated_port(name: str, spec: SearcherSpec, replicas: Replicas) -> SearcherPort:
    """The shards of `spec`, whichever replica answers."""
    return SearcherPort(
        name=name,
        shard_names=spec.shard_names,
        search=partial(replicas.call, "search", spec),
        payload=partial(replicas.call, "payload", spec),
        codes_of=partial(replicas.call, "codes_of", spec),
        ids_of_key=partial(replicas.call, "ids_of_key", spec),
    )
