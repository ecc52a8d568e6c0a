"""A small run of the benchmark of multi-index hashing. Nothing here depends on speed."""

from __future__ import annotations

import json

import pytest

from operators.errors import InvalidSetting
from operators.search.block_scan import rank_nearest
from pipeline.errors import PipelineError, UsageError
from pipeline.jobs import bench_mih as module
from pipeline.jobs.bench_mih import BenchMihResult, BenchMihSettings, bench_mih
from tests.command_line import run


@pytest.mark.parametrize("asked", [("--k", "7"), ("--radius", "3")])
def test_bench_mih_says_figure_comparator_and_ratio(asked: tuple[str, ...]) -> None:
    sizes = ("--num-bits", "64", "--num-codes", "3000", "--num-queries", "5", "--threads", "2")
    facts = json.loads(run("bench", "mih", *sizes, *asked, "--repeats", "3", "--json"))
    assert (facts["bench"], facts["num_bits"], facts["num_threads"]) == ("mih", 64, 2)
    assert facts["ratio"] == pytest.approx(facts["figure"] / facts["comparator"])
    assert 0 <= facts["scanned_share"] <= 1
    assert facts["radius"] == (3 if asked[0] == "--radius" else None)


def test_figures_are_medians_over_the_rounds() -> None:
    result = BenchMihResult(
        settings=BenchMihSettings(num_codes=100, num_queries=8),
        mih_seconds=(1.0, 4.0, 2.0),
        scan_seconds=(4.0, 4.0, 8.0),
        build_seconds=1.5,
        table_bytes=1200,
        scanned_share=0.25,
        mean_probes=10.0,
        mean_candidates=3.0,
    )
    facts = result.to_json()
    assert (facts["figure"], facts["comparator"], facts["ratio"]) == (4.0, 2.0, 2.0)
    assert facts["ratio_spread"] == [1.0, 4.0]
    assert (facts["table_bytes_per_code"], facts["scanned_share"], facts["mean_candidates"]) == (12.0, 0.25, 3.0)


def test_other_answers_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "rank_nearest", lambda scan, ids, k: rank_nearest(scan, ids + 1, k=k))
    with pytest.raises(PipelineError, match="different ids"):
        bench_mih(BenchMihSettings(num_codes=300, num_queries=3, k=5), lambda line: None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_bits": 12}, "num_bits = 12"),
        ({"k": 0}, "k = 0: expected at least 1"),
        ({"num_codes": 0}, "num_codes = 0"),
    ],
)
def test_refuses_what_cannot_be_measured(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BenchMihSettings(**wrong)
    with pytest.raises(InvalidSetting, match="radius = -1"):
        BenchMihSettings(radius=-1)
