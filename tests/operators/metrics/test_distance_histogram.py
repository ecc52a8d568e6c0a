import numpy as np
import pytest

from operators.errors import ShapeMismatch
from operators.metrics.distance_histogram import DistanceHistogram


def test_counts_equal_loops() -> None:
    generator = np.random.default_rng(0)
    distances = generator.integers(0, 5, (4, 30), dtype=np.uint16)
    relevant = generator.random((4, 30)) < 0.4
    histogram = DistanceHistogram.count(distances, relevant, 6)
    for query in range(4):
        for distance in range(6):
            at = distances[query] == distance
            assert histogram.totals[query, distance] == at.sum()
            assert histogram.relevant[query, distance] == (at & relevant[query]).sum()


def test_no_queries_is_an_empty_histogram() -> None:
    histogram = DistanceHistogram.count(np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.bool_), 9)
    assert histogram.totals.shape == histogram.relevant.shape == (0, 9)


def test_a_distance_beyond_the_range_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="distances: got 9, expected below 9"):
        DistanceHistogram.count(np.full((1, 2), 9, np.uint8), np.ones((1, 2), np.bool_), 9)


def test_more_relevant_than_items_is_refused() -> None:
    with pytest.raises(ShapeMismatch, match="relevant counts"):
        DistanceHistogram(np.ones((1, 2), np.int64), np.full((1, 2), 2))
