"""Floats as numbers of the same order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from operators.kernels.sortable_floats import sortable_numbers, sorted_floats

_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(_FLOATS, min_size=1, max_size=30))
def test_numbers_sort_as_floats_do(values: list[float]) -> None:
    floats = np.array(values, np.float32)
    numbers = sortable_numbers(floats)
    np.testing.assert_array_equal(sorted_floats(numbers.astype(np.int64)), floats)
    for left, left_number in zip(floats, numbers, strict=True):
        for right, right_number in zip(floats, numbers, strict=True):
            assert (left < right) == (left_number < right_number)
