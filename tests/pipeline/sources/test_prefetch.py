"""Prefetching is `map` in the same order, a bounded number of calls ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.prefetch import prefetched


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(), max_size=40), st.integers(1, 8))
def test_same_results_in_the_same_order(items: list[int], num_requests: int) -> None:
    assert list(prefetched(lambda item: item * 2, items, num_requests=num_requests)) == [item * 2 for item in items]


def test_calls_run_at_the_same_time() -> None:
    barrier = threading.Barrier(4)  # each call waits for three others: one after the other would never end

    def meet(item: int) -> int:
        barrier.wait(timeout=30)
        return item

    assert list(prefetched(meet, range(8), num_requests=4)) == list(range(8))


def test_no_more_than_the_bound_is_drawn_ahead() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for item in range(50):
            drawn.append(item)
            yield item

    for num_done, _ in enumerate(prefetched(lambda item: item, items(), num_requests=5)):
        assert len(drawn) <= num_done + 5


def test_an_error_is_raised_at_its_place() -> None:
    results = prefetched(lambda item: 1 // item, [1, 1, 0, 1], num_requests=3)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
