"""Stage times add up in any order; the bottleneck is the busiest stage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.telemetry import StageLoad, StageTimes, name_bottleneck

Seconds = st.dictionaries(st.sampled_from(["fetch", "decode", "encode"]), st.integers(0, 1000))


@given(st.lists(Seconds, max_size=6))
def test_adding_is_independent_of_order(parts: list[dict[str, int]]) -> None:
    forward, backward = StageTimes(), StageTimes()
    for part in parts:
        forward.add(part)
    for part in reversed(parts):
        backward.add(part)
    totals = {name: sum(part.get(name, 0) for part in parts) for part in parts for name in part}
    assert dict(forward.seconds) == dict(backward.seconds) == totals


def test_stage_is_booked_when_it_raises() -> None:
    times = StageTimes()
    with pytest.raises(ZeroDivisionError), times.stage("decode"):
        1 / 0  # noqa: B018
    assert times.seconds["decode"] > 0


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        ({"decode": (18.0, 2), "encode": (6.0, 1)}, "decode (90% busy)"),
        ({"decode": (10.0, 2), "encode": (9.9, 1)}, "encode (99% busy)"),
        ({"decode": (1.0, 2), "encode": (2.0, 1)}, "none"),
        ({}, "none"),
    ],
)
def test_bottleneck_is_the_busiest_stage_per_worker(busy: dict[str, tuple[float, int]], expected: str) -> None:
    loads = {stage: StageLoad(busy_seconds=seconds, num_workers=n) for stage, (seconds, n) in busy.items()}
    assert name_bottleneck(loads, wall_seconds=10.0).startswith(expected)
