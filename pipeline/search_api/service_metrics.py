"""`ServiceMetrics`: what Prometheus scrapes from the search service.

Labels are names that a deployment chose (served indexes) or words of this file: never a key, an id, a path as asked or
any other text of a caller, so that their number stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

if TYPE_CHECKING:
    from pipeline.search_api.served_index import IndexStatus

Outcome = Literal["ok", "degraded", "client_error", "overloaded", "failed"]
Stage = Literal["decode", "encode", "search", "payload", "total"]

# Otherwise each counter has a second series that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

# From a scan of a small index (0.3 ms) to the longest deadline.
_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_NUM_QUERIES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class ServiceMetrics:
    """The figures of one service, in a registry of their own. Durations in seconds."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._queries = Counter(
            "bitquarry_queries", "Queries, by how they ended.", ["index", "outcome"], registry=registry
        )
        self._stages = Histogram(
            "bitquarry_query_duration_seconds",
            "Time of a query by stage; total is the whole query.",
            ["index", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._requests = Counter(
            "bitquarry_http_requests", "HTTP requests, by route and status.", ["route", "status"], registry=registry
        )
        self._batches = Histogram(
            "bitquarry_pass_queries", "Queries that shared one pass.", buckets=_NUM_QUERIES, registry=registry
        )
        self._waiting = self._gauge("bitquarry_waiting_queries", "Queries that wait for a pass.")
        self._ready = self._gauge("bitquarry_index_ready", "1 when the index answers from all shards and is fresh.")
        self._rows = self._gauge("bitquarry_index_rows", "Items that the served generation holds.")
        self._coverage = self._gauge("bitquarry_index_coverage_ratio", "Share of the rows that answers rest on.")
        self._staleness = self._gauge(
            "bitquarry_index_staleness_seconds", "Age of the first change of the collection that the index lacks."
        )
        self._generation = Gauge(
            "bitquarry_index_info",
            "1 for the generation and model that answer now.",
            ["index", "generation", "model_id"],
            registry=registry,
        )
        self._served: dict[str, tuple[str, str]] = {}
        build = Gauge("bitquarry_build_info", "1, with the version.", ["version"], registry=registry)
        build.labels(version("bitquarry")).set(1)
        ProcessCollector(registry=registry)

    def count_query(self, index: str, outcome: Outcome, seconds_by_stage: Mapping[str, float]) -> None:
        """One query that ended. `index` "" where the query named none that is served. Raises `ValueError` for an
        outcome or stage that is none."""
        if outcome not in get_args(Outcome):
            raise ValueError(f"outcome {outcome!r}: expected one of {get_args(Outcome)}")
        self._queries.labels(index, outcome).inc()
        for stage, seconds in seconds_by_stage.items():
            if stage not in get_args(Stage):
                raise ValueError(f"stage {stage!r}: expected one of {get_args(Stage)}")
            self._stages.labels(index, stage).observe(seconds)

    def count_request(self, route: str, status: int) -> None:
        """One request that was answered. `route` is the template of the route, never the path that was asked."""
        self._requests.labels(route, str(status)).inc()

    def observe_batch(self, num_queries: int) -> None:
        """One pass over the codes."""
        self._batches.observe(num_queries)

    def set_waiting(self, index: str, num_waiting: int) -> None:
        self._waiting.labels(index).set(num_waiting)

    def observe_index(self, status: IndexStatus) -> None:
        """The state of a served index after a refresh. An unknown staleness takes the series away."""
        name = status.index
        self._ready.labels(name).set(status.ready)
        self._rows.labels(name).set(status.num_rows)
        self._coverage.labels(name).set(status.coverage)
        if status.staleness_seconds is None:
            self._staleness.remove_by_labels({"index": name})
        else:
            self._staleness.labels(name).set(status.staleness_seconds)
        self._observe_generation(name, status)

    def _observe_generation(self, name: str, status: IndexStatus) -> None:
        served = (status.generation or "", status.model_id or "")
        before = self._served.get(name)
        if before != served:
            if before is not None:
                self._generation.remove(name, *before)
            self._generation.labels(name, *served).set(1)
            self._served[name] = served

    def render(self) -> tuple[bytes, str]:
        """The text that a scrape gets, and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, ["index"], registry=self.registry)
