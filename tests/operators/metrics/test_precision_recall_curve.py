import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.metrics.precision_recall_curve import precision_at_recall
from tests import metric_definitions as slow

PERCENTS = np.array([1, 10, 30, 50, 70, 100])


@given(hits=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)))
def test_equals_definition(hits: NDArray[np.bool_]) -> None:
    expected = [[slow.precision_at_recall(row, int(percent)) for percent in PERCENTS] for row in hits.tolist()]
    np.testing.assert_allclose(precision_at_recall(hits, PERCENTS), expected)


def test_hand_computed() -> None:
    hits = np.array([[True, False, True, False]])
    np.testing.assert_allclose(precision_at_recall(hits, np.array([50, 51, 100])), [[1, 2 / 3, 2 / 3]])


@pytest.mark.parametrize("percents", [[], [0, 50], [101]])
def test_levels_outside_one_to_hundred_are_refused(percents: list[int]) -> None:
    with pytest.raises(InvalidSetting, match="whole percents from 1 to 100"):
        precision_at_recall(np.ones((1, 2), np.bool_), np.array(percents, dtype=np.int64))
