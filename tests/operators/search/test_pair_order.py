from __future__ import annotations

import numpy as np
import pytest

from operators.search.pair_order import sort_pairs


@pytest.mark.parametrize("largest", [0, 5, 1000, 2**23, 2**24 - 1, 2**24, 2**40])
def test_as_python_sorts(largest: int) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, largest + 1, (2, 400))
    left[:200] = left[0]
    right[5] = left[6] = largest
    distances = rng.integers(0, 4097, 400).astype(np.uint16)
    found = sort_pairs(left, right, distances)
    assert [array.dtype for array in found] == [np.int64, np.int64, np.uint16]
    assert list(zip(*found, strict=True)) == sorted(zip(left, right, distances, strict=True))


def test_no_pairs() -> None:
    nothing = np.empty(0, np.int64)
    assert [len(array) for array in sort_pairs(nothing, nothing, nothing)] == [0, 0, 0]
