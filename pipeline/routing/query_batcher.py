"""`QueryBatcher`: queries that come at the same time share one pass over the codes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from operators.binary_codes import BinaryCodes, concatenate
from operators.quantization.lookup_tables import LookupTables
from operators.search.search_queries import SearchQueries
from pipeline.errors import ServiceOverloaded
from pipeline.shard_index.search_scope import EVERYTHING, SearchScope

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class QueryTerms:
    """What queries must agree in to be asked together. Without `with_payload`, ids and distances are enough."""

    scope: SearchScope = EVERYTHING
    allow_partial: bool = False
    with_payload: bool = True


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """`max_queries` of one pass (1 switches batching off). `num_in_flight` passes run at once: one is merged while the
    next is ranked. `max_waiting` queries in the queue."""

    max_queries: int = 256
    num_in_flight: int = 2
    max_waiting: int = 2048


DEFAULT_BATCHES = BatchLimits()


@dataclass(frozen=True)
class _Group:
    """Queries of one group can be asked together. `k_class`: k rounded up to a power of two, so that one query for
    thousands of neighbours does not slow down those for ten."""

    terms: QueryTerms
    k_class: int


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Answer]):
    queries: SearchQueries
    k: int
    answer: asyncio.Future[Answer]


class QueryBatcher(Generic[Answer]):
    """While a pass runs, queries gather; the next pass takes all of a group that wait, the oldest group first. Nobody
    waits for company: alone, a query is asked at once. For one event loop."""

    def __init__(
        self,
        ask: Callable[[SearchQueries, int, QueryTerms], Answer],
        cut: Callable[[Answer, slice, int], Answer],
        limits: BatchLimits = DEFAULT_BATCHES,
        on_pass: Callable[[int], None] | None = None,
    ) -> None:
        """`ask(queries, k, terms)` answers all queries of a pass, and blocks; `cut(answer, rows, k)` is the answer to
        some of them, with fewer neighbours. `on_pass` hears how many queries share each pass."""
        self._ask = ask
        self._cut = cut
        self._limits = limits
        self._on_pass = on_pass
        self._groups: dict[_Group, deque[_Waiting[Answer]]] = {}
        self._num_running = 0
        self._running: set[asyncio.Task[None]] = set()
        self._executor = ThreadPoolExecutor(limits.num_in_flight, thread_name_prefix="ranking")
        self.num_waiting = 0

    async def ask(self, queries: SearchQueries, *, k: int, terms: QueryTerms) -> Answer:
        """The answer to these queries. Raises what `ask` raised for the pass, and `ServiceOverloaded`."""
        if self.num_waiting + len(queries) > self._limits.max_waiting:
            raise ServiceOverloaded(self.num_waiting, self._limits.max_waiting)
        waiting: _Waiting[Answer] = _Waiting(queries, k, asyncio.get_running_loop().create_future())
        group = _Group(terms, 1 << (k - 1).bit_length())
        self._groups.setdefault(group, deque()).append(waiting)
        self.num_waiting += len(queries)
        self._start()
        return await waiting.answer

    async def drain(self) -> None:
        """Until every query that waits has its answer; then the threads end."""
        while self._running:
            await asyncio.wait(self._running)
        self._executor.shutdown(wait=False)

    def _start(self) -> None:
        while self._num_running < self._limits.num_in_flight and self._groups:
            group, batch = self._take()
            if not batch:
                continue
            self._num_running += 1
            task = asyncio.get_running_loop().create_task(self._pass(group, batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _take(self) -> tuple[_Group, list[_Waiting[Answer]]]:
        """The oldest group's queries, as many as one pass takes; those whose caller has gone are left out."""
        group, waiting = next(iter(self._groups.items()))
        batch: list[_Waiting[Answer]] = []
        num_queries = 0
        while waiting and (not batch or num_queries + len(waiting[0].queries) <= self._limits.max_queries):
            first = waiting.popleft()
            self.num_waiting -= len(first.queries)
            if not first.answer.cancelled():
                batch.append(first)
                num_queries += len(first.queries)
        del self._groups[group]
        if waiting:  # behind the groups that waited meanwhile
            self._groups[group] = waiting
        return group, batch

    async def _pass(self, group: _Group, batch: Sequence[_Waiting[Answer]]) -> None:
        queries, k = join_queries([each.queries for each in batch]), max(each.k for each in batch)
        if self._on_pass is not None:
            self._on_pass(len(queries))
        asking = asyncio.get_running_loop().run_in_executor(self._executor, self._ask, queries, k, group.terms)
        await asyncio.wait([asking])
        self._num_running -= 1
        error = asking.exception()
        if error is None:
            self._hand_out(asking.result(), batch)
        else:
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)
        self._start()

    def _hand_out(self, answer: Answer, batch: Sequence[_Waiting[Answer]]) -> None:
        first = 0
        for each in batch:
            rows = slice(first, first + len(each.queries))
            first = rows.stop
            if not each.answer.done():
                each.answer.set_result(self._cut(answer, rows, each.k))


def join_queries(parts: Sequence[SearchQueries]) -> SearchQueries:
    """Queries of one kind and width, one after the other."""
    codes = [part for part in parts if isinstance(part, BinaryCodes)]
    if codes:
        return codes[0] if len(parts) == 1 else concatenate(codes)
    return LookupTables(np.concatenate([part.values for part in parts if isinstance(part, LookupTables)]))
