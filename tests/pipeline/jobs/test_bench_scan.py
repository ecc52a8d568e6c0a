"""A small run of the scan benchmark: what it says, and what it refuses to say. Nothing here depends on speed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.jobs import bench_scan as module
from pipeline.jobs.bench_scan import BenchScanResult, BenchScanSettings, bench_scan, random_codes
from tests.command_line import run


def test_bench_scan_says_figure_comparator_and_ratio() -> None:
    sizes = ("--num-bits", "24", "--num-codes", "3000", "--num-queries", "5", "--k", "7", "--threads", "2")
    facts = json.loads(run("bench", "scan", *sizes, "--repeats", "3", "--json"))
    assert (facts["bench"], facts["num_bits"], facts["num_threads"]) == ("scan", 24, 2)
    assert facts["ratio"] == pytest.approx(facts["figure"] / facts["comparator"])
    assert facts["queries_per_second"] == pytest.approx(facts["figure"] * 1e9 / 3000)
    assert facts["comparator_is"].startswith("Faiss ")


def test_figures_are_medians_over_the_rounds() -> None:
    settings = BenchScanSettings(num_codes=2 * 10**9, num_queries=1)
    result = BenchScanResult(
        settings=settings,
        scan_seconds=(1.0, 4.0, 2.0),
        faiss_seconds=(4.0, 4.0, 8.0),
        read_seconds=(0.5, 1.0, 1.0),
        warm_up_seconds=0.5,
        faiss_version="1",
    )
    facts = result.to_json()
    assert (facts["figure"], facts["comparator"], facts["ratio"]) == (1.0, 0.5, 2.0)
    assert facts["ratio_spread"] == [1.0, 4.0]
    assert (facts["scan_gigabytes_per_second"], facts["read_gigabytes_per_second"]) == (8.0, 16.0)
    assert facts["read_share"] == 0.5


def test_other_distances_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar:
        def __init__(self, *_: object, **__: object) -> None:
            self.distances = np.zeros((3, 5), np.int32)

    monkeypatch.setattr(module, "rank_nearest", Liar)
    with pytest.raises(PipelineError, match="different distances"):
        bench_scan(BenchScanSettings(num_codes=100, num_queries=3, k=5), lambda line: None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_bits": 12}, "num_bits = 12: expected a multiple of 8"),
        ({"num_bits": 5000}, "num_bits = 5000"),
        ({"k": 0}, "k = 0: expected at least 1"),
        ({"num_codes": 5}, "k = 10: expected at most num_codes = 5"),
    ],
)
def test_refuses_what_cannot_be_measured(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        BenchScanSettings(**wrong)


def test_random_codes_are_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = random_codes(np.random.default_rng(1), 1000, 64)
    monkeypatch.setattr(module, "_CODE_BLOCK_BYTES", 80)
    assert np.array_equal(random_codes(np.random.default_rng(1), 1000, 64).packed, whole.packed)
