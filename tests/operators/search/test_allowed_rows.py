"""Bitmaps of rows against plain boolean arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import ShapeMismatch
from operators.search.allowed_rows import AllowedRows


@settings(max_examples=60, deadline=None)
@given(num_rows=st.integers(0, 300), seed=st.integers(0, 2**32))
def test_is_what_its_mask_says(num_rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right = rng.random(num_rows) < 0.5, rng.random(num_rows) < 0.5
    allowed = AllowedRows.from_mask(left)
    assert np.array_equal(allowed.to_mask(), left)
    assert allowed.positions().tolist() == [row for row in range(num_rows) if left[row]]
    assert allowed.num_allowed == sum(left.tolist())
    assert [bool(allowed.words[row // 64] >> np.uint64(row % 64) & np.uint64(1)) for row in range(num_rows)] == (
        left.tolist()
    )
    assert np.array_equal((allowed & AllowedRows.from_mask(right)).to_mask(), left & right)
    denied = np.flatnonzero(right)
    assert np.array_equal(AllowedRows.all_but(denied, num_rows).to_mask(), ~right)


def test_refuses_another_length_or_kind() -> None:
    with pytest.raises(ShapeMismatch, match=r"uint64 \(2,\), expected uint64 \(1,\)"):
        AllowedRows(np.zeros(2, np.uint64), 64)
    with pytest.raises(ShapeMismatch, match="mask of allowed rows"):
        AllowedRows.from_mask(np.zeros(3, np.int64))
    with pytest.raises(ShapeMismatch, match="of 4 rows, expected of 3 rows"):
        AllowedRows.from_mask(np.ones(3, bool)) & AllowedRows.from_mask(np.ones(4, bool))
