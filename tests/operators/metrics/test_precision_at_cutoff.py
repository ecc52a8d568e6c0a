import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.metrics.precision_at_cutoff import precision_at, recall_at
from tests import metric_definitions as slow


@given(hits=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)), cutoff=st.integers(1, 15))
def test_equals_definition(hits: NDArray[np.bool_], cutoff: int) -> None:
    rows = hits.tolist()
    np.testing.assert_allclose(precision_at(hits, cutoff), [slow.precision(row, cutoff) for row in rows])
    np.testing.assert_allclose(recall_at(hits, cutoff), [slow.recall(row, cutoff) for row in rows])


def test_hand_computed() -> None:
    hits = np.array([[True, False, True, True]])
    assert precision_at(hits, 2)[0] == 0.5
    assert recall_at(hits, 2)[0] == pytest.approx(1 / 3)


def test_short_database_still_divides_by_the_cutoff() -> None:
    assert precision_at(np.ones((1, 3), np.bool_), 10)[0] == pytest.approx(0.3)


def test_cutoff_of_zero_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="cutoff"):
        precision_at(np.ones((1, 3), np.bool_), 0)
