"""A small run of the join benchmark: what it says, and what it refuses to say. Nothing here depends on speed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.search.near_pairs import NearPairs, near_pairs
from pipeline.errors import PipelineError, UsageError
from pipeline.jobs import bench_join as module
from pipeline.jobs.bench_join import BenchJoinResult, BenchJoinSettings, bench_join, near_duplicate_codes
from tests.command_line import run


def test_bench_join_says_figure_comparator_and_ratio() -> None:
    sizes = ("--num-bits", "64", "--num-codes", "3000", "--radius", "2", "--sampled", "9", "--threads", "2")
    facts = json.loads(run("bench", "join", *sizes, "--repeats", "3", "--json"))
    assert (facts["bench"], facts["num_bits"], facts["num_threads"], facts["radius"]) == ("join", 64, 2, 2)
    assert facts["ratio"] == pytest.approx(facts["figure"] / facts["comparator"])
    assert facts["figure"] == pytest.approx(3000 / np.median(facts["join_seconds"]))
    assert facts["num_pairs"] >= 600
    assert facts["comparator_is"].endswith("of 9 of the codes")


def test_figures_are_rates_of_codes() -> None:
    result = BenchJoinResult(
        settings=BenchJoinSettings(num_codes=1000, num_sampled=10),
        num_pairs=3,
        join_seconds=(1.0, 4.0, 2.0),
        faiss_seconds=(1.0, 1.0, 0.5),
        faiss_version="1",
    )
    facts = result.to_json()
    assert (facts["figure"], facts["comparator"], facts["ratio"]) == (500, 10, 50)
    assert facts["ratio_spread"] == [25, 100]


def test_other_pairs_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lossy(*arguments: Any, **options: Any) -> NearPairs:
        pairs = near_pairs(*arguments, **options)
        return NearPairs(pairs.left[1:], pairs.right[1:], pairs.distances[1:], pairs.first)

    monkeypatch.setattr(module, "near_pairs", lossy)
    with pytest.raises(PipelineError, match="different pairs"):
        bench_join(BenchJoinSettings(num_codes=500), lambda line: None)


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"num_bits": 12}, UsageError, "num_bits = 12: expected a multiple of 8"),
        ({"num_sampled": 0}, UsageError, "num_sampled = 0: expected at least 1"),
        ({"radius": 64}, InvalidSetting, "radius = 64: expected a whole number from 0 to 63"),
    ],
)
def test_refuses_what_cannot_be_measured(wrong: dict[str, int], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        BenchJoinSettings(**wrong)


def test_codes_are_seeded() -> None:
    settings = BenchJoinSettings(num_codes=100)
    assert np.array_equal(near_duplicate_codes(settings).packed, near_duplicate_codes(settings).packed)
