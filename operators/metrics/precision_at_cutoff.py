"""Precision@K and recall@K of one ranked order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting


def precision_at(hits: NDArray[np.bool_], cutoff: int) -> NDArray[np.float64]:
    """P@K: share of relevant items among the first K; a database shorter than K still divides by K.

    `hits`: bool `(num_queries, num_database)` in ranked order. Returns float64 `(num_queries,)`.
    """
    return _hits_in_top(hits, cutoff) / cutoff


def recall_at(hits: NDArray[np.bool_], cutoff: int) -> NDArray[np.float64]:
    """Recall@K: share of the relevant items that are among the first K; 0 when nothing is relevant.

    `hits`: bool `(num_queries, num_database)`, the whole ranking. Returns float64 `(num_queries,)`.
    """
    return np.asarray(_hits_in_top(hits, cutoff) / np.maximum(hits.sum(axis=1), 1))


def _hits_in_top(hits: NDArray[np.bool_], cutoff: int) -> NDArray[np.int64]:
    if cutoff < 1:
        raise InvalidSetting("cutoff", str(cutoff), "at least 1")
    counts: NDArray[np.int64] = hits[:, :cutoff].sum(axis=1)
    return counts
