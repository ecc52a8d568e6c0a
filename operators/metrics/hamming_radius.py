"""Precision and recall of hash lookup: everything within a Hamming radius of the query is returned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.metrics.distance_histogram import DistanceHistogram


def precision_within_radius(histogram: DistanceHistogram, radius: int) -> NDArray[np.float64]:
    """Share of relevant items in the ball of `radius`; 0 when the ball is empty (as the Anchor Graph Hashing demo
    does).

    Returns float64 `(num_queries,)`.
    """
    relevant, totals = _in_ball(histogram, radius)
    return relevant / np.maximum(totals, 1)


def recall_within_radius(histogram: DistanceHistogram, radius: int) -> NDArray[np.float64]:
    """Share of the relevant items that lie in the ball of `radius`; 0 when nothing is relevant.

    Returns float64 `(num_queries,)`.
    """
    relevant, _ = _in_ball(histogram, radius)
    return np.asarray(relevant / np.maximum(histogram.relevant.sum(axis=1), 1))


def _in_ball(histogram: DistanceHistogram, radius: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if radius < 0:
        raise InvalidSetting("radius", str(radius), "at least 0")
    inside = slice(0, radius + 1)
    return histogram.relevant[:, inside].sum(axis=1), histogram.totals[:, inside].sum(axis=1)
