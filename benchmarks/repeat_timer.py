"""`repeat_timer`: how long something takes, more than once."""

from __future__ import annotations

import time
from collections.abc import Callable


def repeat_timer(
    action: Callable[[], object],
    *,
    num_repeats: int = 5,
    num_warmups: int = 1,
    synchronize: Callable[[], object] | None = None,
) -> tuple[float, ...]:
    """Seconds each of `num_repeats` calls of `action` took, in order, after `num_warmups` calls that are not timed.

    `synchronize` (such as torch.cuda.synchronize) is called before the clock is read, so that queued work counts.
    Raises ValueError for fewer than 1 repeat or a negative number of warm-ups.
    """
    if num_repeats < 1 or num_warmups < 0:
        raise ValueError(f"num_repeats = {num_repeats}, num_warmups = {num_warmups}: expected at least 1 and 0")
    for _ in range(num_warmups):
        action()
    return tuple(_timed(action, synchronize or _nothing) for _ in range(num_repeats))


def _timed(action: Callable[[], object], synchronize: Callable[[], object]) -> float:
    synchronize()
    start = time.perf_counter()
    action()
    synchronize()
    return time.perf_counter() - start


def _nothing() -> None:
    pass
