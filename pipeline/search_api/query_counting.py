"""`QueryCounting`: every query ends in the metrics once, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.exceptions import HTTPException

from pipeline.errors import ServiceOverloaded
from pipeline.search_api.answer_json import JsonObject
from pipeline.search_api.problems import problem_of
from pipeline.search_api.service_metrics import Outcome, ServiceMetrics

_OVERLOADED = (429, 503)


@dataclass
class CountedQuery:
    """What is known of a query that runs."""

    outcome: Outcome = "ok"
    seconds: dict[str, float] = field(default_factory=dict)
    num_queries: int = 1

    def answered(self, answer: JsonObject) -> None:
        self.outcome = "degraded" if answer["degraded"] else "ok"
        self.seconds = {stage: milliseconds / 1000 for stage, milliseconds in answer["timing_ms"].items()}


class QueryCounting:
    """`names` of the served indexes: others are counted under ""."""

    def __init__(self, metrics: ServiceMetrics, names: Collection[str]) -> None:
        self._metrics = metrics
        self._names = frozenset(names)

    @contextmanager
    def query(self, index: str) -> Iterator[CountedQuery]:
        """Counts what the block did, also when it raises."""
        counted = CountedQuery()
        try:
            yield counted
        except (Exception, asyncio.CancelledError) as error:
            counted.outcome = _outcome_of(error)
            raise
        finally:
            served = index if index in self._names else ""
            for _ in range(counted.num_queries):
                self._metrics.count_query(served, counted.outcome, counted.seconds)


def _outcome_of(error: BaseException) -> Outcome:
    if not isinstance(error, Exception):
        return "failed"
    status = error.status_code if isinstance(error, HTTPException) else int(problem_of(error).status)
    if isinstance(error, ServiceOverloaded) or (isinstance(error, HTTPException) and status in _OVERLOADED):
        return "overloaded"
    return "client_error" if status < 500 else "failed"
