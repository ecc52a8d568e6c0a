from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.metrics import average_precision as fast
from tests import metric_definitions as slow

CUT = [
    (fast.ap_over_hits, slow.ap_over_hits),
    (fast.ap_over_hits_or_nan, slow.ap_over_hits_or_nan),
    (fast.ap_over_min, slow.ap_over_min),
    (fast.ap_over_cutoff, slow.ap_over_cutoff),
]
WHOLE = [(fast.ap_all, slow.ap_all), (fast.ap_trapezoid, slow.ap_trapezoid)]
hit_matrices = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@pytest.mark.parametrize(("metric", "definition"), WHOLE)
@given(hits=hit_matrices)
def test_whole_ranking_equals_definition(
    metric: Callable[..., NDArray[np.float64]], definition: Callable[..., float], hits: NDArray[np.bool_]
) -> None:
    np.testing.assert_allclose(metric(hits), [definition(row) for row in hits.tolist()], rtol=1e-12)


@pytest.mark.parametrize(("metric", "definition"), CUT)
@given(hits=hit_matrices, cutoff=st.integers(1, 15))
def test_cut_ranking_equals_definition(
    metric: Callable[..., NDArray[np.float64]], definition: Callable[..., float], hits: NDArray[np.bool_], cutoff: int
) -> None:
    np.testing.assert_allclose(metric(hits, cutoff), [definition(row, cutoff) for row in hits.tolist()], rtol=1e-12)


# Hits at ranks 1, 3 and 6; precision there is 1, 2/3 and 3/6, just before them 1 (by convention), 1/2 and 2/5.
BY_HAND = np.array([[True, False, True, False, False, True]])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (fast.ap_all, (1 + 2 / 3 + 1 / 2) / 3),
        (fast.ap_trapezoid, ((1 + 1) / 2 + (1 / 2 + 2 / 3) / 2 + (2 / 5 + 1 / 2) / 2) / 3),
        (partial(fast.ap_over_hits, cutoff=4), (1 + 2 / 3) / 2),
        (partial(fast.ap_over_min, cutoff=4), (1 + 2 / 3) / 3),
        (partial(fast.ap_over_min, cutoff=2), 1 / 2),
        (partial(fast.ap_over_cutoff, cutoff=4), (1 + 2 / 3) / 4),
    ],
)
def test_hand_computed(metric: Callable[..., NDArray[np.float64]], expected: float) -> None:
    assert metric(BY_HAND)[0] == pytest.approx(expected, rel=1e-12)


def test_no_two_definitions_agree_on_this_ranking() -> None:
    values = [metric(BY_HAND)[0] for metric in (fast.ap_all, fast.ap_trapezoid)]
    values += [metric(BY_HAND, 4)[0] for metric in (fast.ap_over_hits, fast.ap_over_min, fast.ap_over_cutoff)]
    assert len({round(float(value), 9) for value in values}) == 5


def test_a_query_without_hits_scores_zero_and_is_dropped_only_where_the_name_says_so() -> None:
    misses = np.zeros((1, 5), np.bool_)
    assert fast.ap_all(misses)[0] == fast.ap_over_hits(misses, 3)[0] == fast.ap_over_min(misses, 3)[0] == 0
    assert np.isnan(fast.ap_over_hits_or_nan(misses, 3)[0])


@pytest.mark.parametrize(("metric", "_definition"), CUT)
def test_cutoff_of_zero_is_refused(metric: Callable[..., NDArray[np.float64]], _definition: object) -> None:
    with pytest.raises(InvalidSetting, match="cutoff = 0: expected at least 1"):
        metric(BY_HAND, 0)
