"""The timer calls what it times as often as it says."""

import pytest

from benchmarks.repeat_timer import repeat_timer


def test_warmups_are_run_but_not_timed() -> None:
    calls: list[str] = []
    seconds = repeat_timer(lambda: calls.append("action"), num_repeats=3, num_warmups=2)
    assert len(calls) == 5
    assert len(seconds) == 3
    assert min(seconds) >= 0


def test_synchronize_brackets_every_timed_call() -> None:
    calls: list[str] = []
    repeat_timer(
        lambda: calls.append("action"),
        num_repeats=2,
        num_warmups=1,
        synchronize=lambda: calls.append("synchronize"),
    )
    assert calls == ["action", *["synchronize", "action", "synchronize"] * 2]


@pytest.mark.parametrize(("num_repeats", "num_warmups"), [(0, 1), (1, -1)])
def test_wrong_counts_are_refused(num_repeats: int, num_warmups: int) -> None:
    with pytest.raises(ValueError, match=f"num_repeats = {num_repeats}"):
        repeat_timer(lambda: None, num_repeats=num_repeats, num_warmups=num_warmups)
