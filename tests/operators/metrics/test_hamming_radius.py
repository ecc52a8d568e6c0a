import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import InvalidSetting
from operators.metrics.distance_histogram import DistanceHistogram
from operators.metrics.hamming_radius import precision_within_radius, recall_within_radius


@given(st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_equals_definition(seed: int, radius: int) -> None:
    generator = np.random.default_rng(seed)
    distances = generator.integers(0, 7, (3, 10), dtype=np.uint8)
    relevant = generator.random((3, 10)) < 0.4
    histogram = DistanceHistogram.count(distances, relevant, 7)
    for query in range(3):
        ball = {item for item in range(10) if distances[query, item] <= radius}
        wanted = {item for item in range(10) if relevant[query, item]}
        precision = len(ball & wanted) / len(ball) if ball else 0
        recall = len(ball & wanted) / len(wanted) if wanted else 0
        assert precision_within_radius(histogram, radius)[query] == pytest.approx(precision)
        assert recall_within_radius(histogram, radius)[query] == pytest.approx(recall)


def test_an_empty_ball_has_precision_zero() -> None:
    histogram = DistanceHistogram(np.array([[0, 0, 0, 4]]), np.array([[0, 0, 0, 4]]))
    assert precision_within_radius(histogram, 2)[0] == recall_within_radius(histogram, 2)[0] == 0
    assert precision_within_radius(histogram, 3)[0] == recall_within_radius(histogram, 3)[0] == 1


def test_a_negative_radius_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="radius"):
        recall_within_radius(DistanceHistogram(np.ones((1, 1), np.int64), np.ones((1, 1), np.int64)), -1)
