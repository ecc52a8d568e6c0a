from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from pipeline.search_api.service_metrics import ServiceMetrics
from tests.pipeline.search_api.metric_samples import complaints_of, sample, samples_of


@dataclass(frozen=True, kw_only=True)
class _Status:
    index: str = "photos"
    generation: str | None = "g1"
    model_id: str | None = "itq64@1"
    num_rows: int = 1000
    coverage: float = 1.0
    staleness_seconds: float | None = 0.0
    ready: bool = True


def _observe(metrics: ServiceMetrics, status: _Status) -> None:
    metrics.observe_index(cast("Any", status))


def test_queries_are_counted_by_how_they_ended_and_timed_by_stage() -> None:
    metrics = ServiceMetrics()
    for seconds in (0.001, 0.003, 3.0):
        metrics.count_query("photos", "ok", {"search": seconds / 2, "total": seconds})
    metrics.count_query("photos", "degraded", {})
    metrics.count_query("", "client_error", {})
    samples = samples_of(metrics)
    assert sample(samples, "bitquarry_queries_total", index="photos", outcome="ok") == 3
    assert sample(samples, "bitquarry_queries_total", index="photos", outcome="degraded") == 1
    assert sample(samples, "bitquarry_queries_total", index="", outcome="client_error") == 1
    assert sample(samples, "bitquarry_query_duration_seconds_count", index="photos", stage="total") == 3
    assert sample(samples, "bitquarry_query_duration_seconds_sum", index="photos", stage="search") == pytest.approx(
        1.502
    )
    assert sample(samples, "bitquarry_query_duration_seconds_bucket", index="photos", stage="total", le="0.004") == 2


def test_words_that_are_no_outcome_or_stage_are_refused() -> None:
    with pytest.raises(ValueError, match="outcome 'fine'"):
        ServiceMetrics().count_query("photos", cast("Any", "fine"), {})
    with pytest.raises(ValueError, match="stage 'nap'"):
        ServiceMetrics().count_query("photos", "ok", {"nap": 1.0})


def test_only_the_generation_that_answers_is_named() -> None:
    metrics = ServiceMetrics()
    _observe(metrics, _Status())
    _observe(metrics, _Status(generation="g2"))
    samples = samples_of(metrics)
    named = [dict(labels)["generation"] for name, labels in samples if name == "bitquarry_index_info"]
    assert named == ["g2"]


def test_an_unknown_staleness_is_no_staleness_of_zero() -> None:
    metrics = ServiceMetrics()
    name = "bitquarry_index_staleness_seconds"
    _observe(metrics, _Status(staleness_seconds=None))
    assert sample(samples_of(metrics), name, index="photos") is None
    _observe(metrics, _Status(staleness_seconds=12.5))
    assert sample(samples_of(metrics), name, index="photos") == 12.5
    _observe(metrics, _Status(staleness_seconds=None))
    assert sample(samples_of(metrics), name, index="photos") is None


def test_the_state_of_an_index_is_the_last_one_seen() -> None:
    metrics = ServiceMetrics()
    good = _Status()
    _observe(metrics, good)
    _observe(metrics, replace(good, coverage=0.75, ready=False, num_rows=900))
    samples = samples_of(metrics)
    assert sample(samples, "bitquarry_index_coverage_ratio", index="photos") == 0.75
    assert sample(samples, "bitquarry_index_ready", index="photos") == 0
    assert sample(samples, "bitquarry_index_rows", index="photos") == 900


def test_two_services_in_one_process_count_apart() -> None:
    first, second = ServiceMetrics(), ServiceMetrics()
    first.count_request("/v1/indexes", 200)
    samples = samples_of(second)
    assert not [name for name, _ in samples if name == "bitquarry_http_requests_total"]


def test_promtool_accepts_every_metric() -> None:
    metrics = ServiceMetrics()
    _observe(metrics, _Status(index='odd "name"\n\\'))
    metrics.count_query("photos", "ok", {"decode": 0.1, "encode": 0.1, "search": 0.1, "payload": 0.1, "total": 0.4})
    metrics.count_request("/v1/indexes/{name}/query", 200)
    metrics.observe_batch(17)
    metrics.set_waiting("photos", 3)
    assert complaints_of(metrics.render()[0]) == ""


def test_promtool_would_complain() -> None:
    assert "counter metrics should have" in complaints_of(
        b"# HELP queries Queries.\n# TYPE queries counter\nqueries 1\n"
    )
