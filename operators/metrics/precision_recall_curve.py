"""The precision-recall curve of one ranked order, at fixed recall levels so that queries can be averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting


def precision_at_recall(hits: NDArray[np.bool_], recall_percents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Precision at the rank where recall first reaches each level (not interpolated).

    `hits`: bool `(num_queries, num_database)`, the whole ranking; `recall_percents`: int64 `(num_levels,)` from 1 to
    100, whole percents so that the number of hits a level needs is exact. Returns float64 `(num_queries, num_levels)`;
    rows of queries with nothing relevant are NaN, because their recall is undefined.
    """
    if recall_percents.size == 0 or recall_percents.min() < 1 or recall_percents.max() > 100:
        raise InvalidSetting("recall_percents", str(recall_percents.tolist()), "whole percents from 1 to 100")
    precision = np.full((len(hits), len(recall_percents)), np.nan)
    queries, positions = np.nonzero(hits)
    num_relevant = np.bincount(queries, minlength=len(hits))
    answerable = np.flatnonzero(num_relevant)
    first_hit = np.cumsum(num_relevant) - num_relevant
    needed = -(-num_relevant[answerable, None] * recall_percents[None, :] // 100)
    rank = positions[first_hit[answerable, None] + needed - 1] + 1
    precision[answerable] = needed / rank
    return precision
