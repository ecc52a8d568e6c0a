"""Concurrent queries share passes: each gets what it would have got alone, or its own error."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import RankedNeighbors
from operators.search.hamming_flat import search_flat
from operators.search.search_queries import SearchQueries
from pipeline.errors import SearchError, ServiceOverloaded
from pipeline.routing.query_batcher import BatchLimits, QueryBatcher, QueryTerms, join_queries
from pipeline.shard_index.search_scope import EVERYTHING, SearchScope
from tests.oracles import same_answer

CODES = BinaryCodes.from_bits(np.random.default_rng(0).random((50, 16)) < 0.5)
IDS = np.arange(50) * 2


Batcher = QueryBatcher[RankedNeighbors]


class Ranker:
    """Searches `CODES`, remembers what it was asked, and stands still while `gate` is closed."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, queries: SearchQueries, k: int, terms: QueryTerms) -> RankedNeighbors:
        assert isinstance(queries, BinaryCodes)
        self.asked.append((len(queries), k))
        assert self.gate.wait(30)
        if terms.scope.radius == 13:
            raise SearchError("unlucky")
        return search_flat(CODES, IDS, queries, k=k)


def _cut(ranked: RankedNeighbors, rows: slice, k: int) -> RankedNeighbors:
    return RankedNeighbors(ranked.distances[rows, :k], ranked.ids[rows, :k], np.minimum(ranked.counts[rows], k))


def _run(test: Callable[[Ranker, Batcher], Awaitable[None]], limits: BatchLimits) -> Ranker:
    ranker = Ranker()

    async def whole() -> None:
        batcher = QueryBatcher(ranker, _cut, limits)
        await test(ranker, batcher)
        ranker.gate.set()
        await batcher.drain()
        assert batcher.num_waiting == 0

    asyncio.run(asyncio.wait_for(whole(), 60))
    return ranker


async def _settle() -> None:
    """Let every task run until it waits for something outside."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_those_that_wait_share_the_next_pass_and_each_gets_its_own() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        ranker.gate.clear()
        ks = [10, 9, 16, 12, 3]
        tasks = [
            asyncio.create_task(batcher.ask(CODES[row : row + 1], k=k, terms=QueryTerms())) for row, k in enumerate(ks)
        ]
        await _settle()
        ranker.gate.set()
        for row, (task, k) in enumerate(zip(tasks, ks, strict=True)):
            assert same_answer(await task, search_flat(CODES, IDS, CODES[row : row + 1], k=k))

    ranker = _run(test, BatchLimits(num_in_flight=1))
    assert ranker.asked == [(1, 10), (3, 16), (1, 3)]


def test_other_scopes_are_other_passes_and_fail_alone() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        ranker.gate.clear()
        scopes = [EVERYTHING, SearchScope(radius=13), EVERYTHING]
        tasks = [asyncio.create_task(batcher.ask(CODES[:1], k=4, terms=QueryTerms(scope=scope))) for scope in scopes]
        await _settle()
        ranker.gate.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(each) for each in done] == [RankedNeighbors, SearchError, RankedNeighbors]

    _run(test, BatchLimits())


def test_a_pass_takes_no_more_than_its_limit() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        ranker.gate.clear()
        tasks = [asyncio.create_task(batcher.ask(CODES[:size], k=2, terms=QueryTerms())) for size in (1, 2, 2, 2, 9, 1)]
        await _settle()
        ranker.gate.set()
        await asyncio.gather(*tasks)

    ranker = _run(test, BatchLimits(max_queries=4, num_in_flight=1))
    assert [number for number, *_ in ranker.asked] == [1, 4, 2, 9, 1]


def test_one_query_a_pass_switches_batching_off() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.ask(CODES[:1], k=2, terms=QueryTerms()) for _ in range(5)))

    assert [number for number, *_ in _run(test, BatchLimits(max_queries=1)).asked] == [1] * 5


def test_a_full_queue_refuses() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        ranker.gate.clear()
        tasks = [asyncio.create_task(batcher.ask(CODES[:1], k=2, terms=QueryTerms())) for _ in range(4)]
        await _settle()
        assert batcher.num_waiting == 3
        with pytest.raises(ServiceOverloaded, match="3 queries wait, 3 may"):
            await batcher.ask(CODES[:1], k=2, terms=QueryTerms())
        ranker.gate.set()
        await asyncio.gather(*tasks)
        await batcher.ask(CODES[:3], k=2, terms=QueryTerms())

    _run(test, BatchLimits(num_in_flight=1, max_waiting=3))


def test_a_caller_that_went_away_is_not_asked_for() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        ranker.gate.clear()
        tasks = [asyncio.create_task(batcher.ask(CODES[:1], k=2, terms=QueryTerms())) for _ in range(3)]
        await _settle()
        tasks[1].cancel()
        await _settle()
        ranker.gate.set()
        await asyncio.gather(tasks[0], tasks[2])

    assert [number for number, *_ in _run(test, BatchLimits(num_in_flight=1)).asked] == [1, 1]


def test_draining_waits_for_every_answer() -> None:
    async def test(ranker: Ranker, batcher: Batcher) -> None:
        ranker.gate.clear()
        tasks = [asyncio.create_task(batcher.ask(CODES[:1], k=2, terms=QueryTerms())) for _ in range(6)]
        await _settle()
        draining = asyncio.create_task(batcher.drain())
        await _settle()
        assert not draining.done()
        ranker.gate.set()
        await draining
        assert all(task.done() for task in tasks)

    _run(test, BatchLimits(max_queries=1, num_in_flight=1))


def test_tables_are_joined_too() -> None:
    parts = [LookupTables(np.full((rows, 2, 256), rows, np.float32)) for rows in (1, 3)]
    joined = join_queries(parts)
    assert isinstance(joined, LookupTables)
    assert joined.values[:, 0, 0].tolist() == [1, 3, 3, 3]
