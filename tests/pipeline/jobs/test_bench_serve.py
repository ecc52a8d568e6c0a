"""A small run of the benchmark of serving. Nothing here depends on speed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.jobs import bench_serve as module
from pipeline.jobs.bench_serve import BenchServeResult, BenchServeSettings, MemorySample, bench_serve
from pipeline.jobs.load_client import LoadReport
from tests.command_line import run

_QUICK = ("--num-codes", "2000", "--seconds", "0.2", "--searchers", "0", "--repeats", "1")


def test_bench_serve_says_figure_comparator_and_ratio() -> None:
    asked = ("--concurrency", "1", "--concurrency", "4", "--memory-queries", "5")
    facts = json.loads(run("bench", "serve", *_QUICK, *asked, "--json"))
    assert (facts["bench"], facts["num_codes"], facts["concurrency"]) == ("serve", 2000, [1, 4])
    assert facts["ratio"] == pytest.approx(facts["figure"] / facts["comparator"])
    assert facts["ratio"] == facts["at_concurrency"]["4"]["ratio"]
    assert set(facts["at_concurrency"]) == {"1", "4"}
    assert facts["memory"][-1]["num_queries"] >= 5
    assert facts["memory"][-1]["resident_bytes"] > 0


def _reports(*num_answers: int, p50: float) -> list[LoadReport]:
    return [
        LoadReport(seconds=2.0, num_answers=number, p50_milliseconds=p50, p99_milliseconds=9.0)
        for number in num_answers
    ]


def test_figures_are_medians_over_the_rounds() -> None:
    settings = BenchServeSettings(num_codes=100, concurrency=(1, 8), num_searchers=0)
    slow = {number: _reports(10, 20, 30, p50=5.0) for number in (1, 8)}
    fast = {number: _reports(10 * number, 200 * number, 300 * number, p50=2.0) for number in (1, 8)}
    reports = {"bare": slow, "service": fast, "unbatched": slow}
    memory = (MemorySample(num_queries=10, resident_bytes=7),)
    result = BenchServeResult(settings=settings, reports=reports, memory=memory, faiss_version="1")
    facts = result.to_json()
    assert (facts["figure"], facts["comparator"], facts["ratio"]) == (800.0, 10.0, 80.0)
    at: dict[str, Any] = facts["at_concurrency"]["1"]
    assert (at["ratio"], at["p50_ratio"], at["batching_gain"]) == (10.0, 0.4, 10.0)
    assert at["service"] == {"queries_per_second": 100.0, "p50_milliseconds": 2.0, "p99_milliseconds": 9.0}
    assert facts["memory"] == [{"num_queries": 10, "resident_bytes": 7}]


def test_wrong_answers_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    nearest = module._nearest
    monkeypatch.setattr(module, "_nearest", lambda codes, queries, k: nearest(codes, queries[::-1], k))
    settings = BenchServeSettings(num_codes=500, seconds=0.1, concurrency=(2,), num_searchers=0, num_repeats=1)
    with pytest.raises(PipelineError, match="bare: wrong answer to query"):
        bench_serve(settings, lambda line: None)


def test_a_service_that_does_not_start_is_said() -> None:
    settings = BenchServeSettings(
        command=("false",), num_codes=500, seconds=0.1, concurrency=(2,), num_searchers=0, num_repeats=1
    )
    with pytest.raises(PipelineError, match=r"the service \(service\) did not start: exit code 1"):
        bench_serve(settings, lambda line: None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"num_bits": 12}, "num_bits = 12"), ({"k": 0}, "k = 0"), ({"concurrency": ()}, "concurrency = 0")],
)
def test_refuses_what_cannot_be_measured(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BenchServeSettings(**wrong)
