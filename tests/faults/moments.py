"""Moments of a running command, told by what it has done and not by a clock."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence


def at_moments(driver: subprocess.Popen[str], reached: Callable[[], int], moments: Sequence[int]) -> Iterator[int]:
    """Yield each moment once `reached` shows it; ends early with the driver."""
    for moment in moments:
        while reached() < moment:
            try:
                driver.wait(timeout=0.02)
                return
            except subprocess.TimeoutExpired:
                continue
        yield moment
