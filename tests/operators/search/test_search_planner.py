"""What the planner predicts, and that it chooses by it. Its clock is replaced: nothing here depends on speed."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.search import search_planner
from operators.search.probing_costs import ProbingCosts
from operators.search.search_planner import PlanRequest, plan_search, probing_seconds, sample_queries


def _clustered(num_codes: int, num_bits: int = 64) -> BinaryCodes:
    """Every code has others within a few bits."""
    rng = np.random.default_rng(0)
    centres = rng.random((max(1, num_codes // 50), num_bits)) < 0.5
    bits = centres[rng.integers(0, len(centres), num_codes)]
    bits[np.arange(num_codes), rng.integers(0, num_bits, num_codes)] ^= True
    return BinaryCodes.from_bits(bits)


def _slow_machine(monkeypatch: pytest.MonkeyPatch, seconds_per_code: float) -> None:
    monkeypatch.setattr(search_planner, "measure_seconds_per_code", lambda codes: seconds_per_code)


@pytest.mark.parametrize(("radius", "num_chunks"), [(0, 3), (1, 3), (2, 3), (3, 3), (5, 2), (4, 8)])
def test_predicted_probes_are_those_of_the_pigeonhole_rule(radius: int, num_chunks: int) -> None:
    """Any code within `radius` agrees with the query in one chunk to the depth that is probed: count the flips."""
    num_bits, costs = 24, ProbingCosts()
    sizes = [num_bits // num_chunks] * num_chunks
    reaches = [
        radius // num_chunks if chunk <= radius % num_chunks else radius // num_chunks - 1
        for chunk in range(num_chunks)
    ]
    assert sum(reach + 1 for reach in reaches) == radius + 1
    probes = [
        sum(1 for flips in range(reach + 1) for _ in combinations(range(bits), flips))
        for bits, reach in zip(sizes, reaches, strict=True)
    ]
    expected = sum(
        count * (costs.probe + costs.candidate * 1000 / 2**bits) for count, bits in zip(probes, sizes, strict=True)
    )
    assert probing_seconds(1000, num_bits, num_chunks, radius) == pytest.approx(expected)


def test_near_neighbours_are_worth_tables_where_a_scan_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    _slow_machine(monkeypatch, 1e-5)
    plan = plan_search(_clustered(4000), PlanRequest(k=5))
    assert plan.kind == "multi_index"
    assert plan.predicted_seconds * 2 <= plan.scan_seconds == pytest.approx(4000 * 1e-5)
    assert "radius of 2" in plan.reason


def test_far_neighbours_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_planner, "_SCAN_IS_QUICK", 0.0)
    _slow_machine(monkeypatch, 2e-8)
    random = BinaryCodes.from_bits(np.random.default_rng(1).random((4000, 64)) < 0.5)
    for request in (PlanRequest(k=100), PlanRequest(radius=30)):
        plan = plan_search(random, request)
        assert plan.kind == "scan"
        assert plan.predicted_seconds == plan.scan_seconds
        assert "predicted" in plan.reason
    assert "radius of 30" in plan.reason
    assert plan_search(random, PlanRequest(radius=1)).kind == "multi_index"


@pytest.mark.parametrize(
    ("codes", "request_", "seconds_per_code", "reason"),
    [
        (_clustered(4000), PlanRequest(k=5), 1e-9, "hardly better"),
        (_clustered(4000), PlanRequest(k=5, memory_bytes=1000), 1e-5, "1,000 are free"),
        (_clustered(4000, 63), PlanRequest(k=5), 1e-5, "multiple of 8 bits"),
    ],
)
def test_says_why_it_scans(
    monkeypatch: pytest.MonkeyPatch, codes: BinaryCodes, request_: PlanRequest, seconds_per_code: float, reason: str
) -> None:
    _slow_machine(monkeypatch, seconds_per_code)
    plan = plan_search(codes, request_)
    assert (plan.kind, reason in plan.reason) == ("scan", True), plan.reason


@pytest.mark.parametrize(
    ("memory_bytes", "kind", "why"),
    [(None, "binary_hnsw", "need not be exact"), (600_000, "binary_ivf", "1,024,000 bytes, 600,000 are free")],
)
def test_approximate_kinds_are_for_slow_scans_of_those_who_allow_them(
    monkeypatch: pytest.MonkeyPatch, memory_bytes: int | None, kind: str, why: str
) -> None:
    random = BinaryCodes.from_bits(np.random.default_rng(1).random((4000, 64)) < 0.5)
    request = PlanRequest(k=100, radius=60, memory_bytes=memory_bytes, exact=False)
    monkeypatch.setattr(search_planner, "_SCAN_IS_QUICK", 0.0)
    monkeypatch.setattr(search_planner, "_SCAN_IS_BEARABLE", 1e-5)
    _slow_machine(monkeypatch, 2e-8)
    plan = plan_search(random, request)
    assert plan.kind == kind
    assert why in plan.reason
    assert plan.predicted_seconds < plan.scan_seconds * 2
    assert plan_search(random, replace(request, exact=True)).kind == "scan"
    _slow_machine(monkeypatch, 1e-9)
    assert plan_search(random, request).kind == "scan"


def test_without_faiss_it_stays_exact_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    random = BinaryCodes.from_bits(np.random.default_rng(1).random((4000, 64)) < 0.5)
    monkeypatch.setattr(search_planner, "_SCAN_IS_QUICK", 0.0)
    monkeypatch.setattr(search_planner, "_SCAN_IS_BEARABLE", 0.0)
    monkeypatch.setattr(search_planner, "find_spec", lambda name: None)
    _slow_machine(monkeypatch, 2e-8)
    plan = plan_search(random, PlanRequest(radius=60, exact=False))
    assert (plan.kind, "extra faiss" in plan.reason) == ("scan", True)


def test_measures_this_machine() -> None:
    assert 0 < search_planner.measure_seconds_per_code(_clustered(500)) < 1


def test_samples_are_codes_of_the_block() -> None:
    codes = _clustered(200)
    rows = {code.tobytes() for code in codes.packed}
    sample = sample_queries(codes, seed=3)
    assert len(sample) == 16
    assert all(code.tobytes() in rows for code in sample.packed)
    assert len(sample_queries(codes[:5], seed=3)) == 5


def test_refuses_what_no_search_asks() -> None:
    for k, radius, memory_bytes in ((0, None, None), (1, -1, None), (1, None, -1)):
        with pytest.raises(InvalidSetting):
            PlanRequest(k=k, radius=radius, memory_bytes=memory_bytes)
