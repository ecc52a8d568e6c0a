"""How fast one thread can read memory: the ceiling of a scan for one query."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled


def read_seconds(words: NDArray[np.uint64], num_repeats: int) -> list[float]:
    """Seconds that each of `num_repeats` plain sums over uint64 `(num_words,)` takes, after one that does not count.

    Nothing is less work per word, so bytes over seconds is what memory (or the last cache, where all fits) delivers.
    """
    sum_of_words(words)
    seconds = []
    for _ in range(num_repeats):
        started = time.perf_counter()
        sum_of_words(words)
        seconds.append(time.perf_counter() - started)
    return seconds


@compiled
def sum_of_words(words: Any) -> Any:
    """Modulo 2**64."""
    total = np.uint64(0)
    for word in words:
        total += word
    return total
