"""Average precision of one ranked order, under the six definitions that papers call "mAP".

Everywhere `hits` is bool `(num_queries, num_database)`: relevance of the whole database in ranked order, nearest first.
P@k is the precision of the first k, n+ the number of relevant items in the database, R (or K) a cut-off. Every function
returns float64 `(num_queries,)`; the mean over queries is the "mAP" of that name. A query with nothing relevant scores
0. The formulas are compared in arXiv:1905.10951 (On the Evaluation Metric for Hashing).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting

Hits = NDArray[np.bool_]
PerQuery = NDArray[np.float64]
ValueAtHits = Callable[[NDArray[np.int64], NDArray[np.int64]], PerQuery]


def ap_all(hits: Hits) -> PerQuery:
    """AP_all: sum of P@k over every hit in the whole ranking, divided by n+."""
    return _ratio(_sum_at_hits(hits, _precision_at_hits), hits.sum(axis=1))


def ap_over_hits(hits: Hits, cutoff: int) -> PerQuery:
    """AP@R/hits: sum of P@k over the hits in the first R, divided by the number of those hits; 0 without any.

    The "mAP@10" of this project's reports (DeepHash-pytorch, CIBHash, BiHalf and MeCoQ use it).
    """
    top = _top(hits, cutoff)
    return _ratio(_sum_at_hits(top, _precision_at_hits), top.sum(axis=1))


def ap_over_hits_or_nan(hits: Hits, cutoff: int) -> PerQuery:
    """AP@R/hits with hitless queries dropped: as `ap_over_hits`, but NaN for a query without a hit in the first R.

    Take the mean over the others, as thulab/DeepHash does. It flatters a method that misses completely now and then.
    """
    return np.where(_top(hits, cutoff).any(axis=1), ap_over_hits(hits, cutoff), np.nan)


def ap_over_min(hits: Hits, cutoff: int) -> PerQuery:
    """AP@R/min: sum of P@k over the hits in the first R, divided by min(R, n+)."""
    found = _sum_at_hits(_top(hits, cutoff), _precision_at_hits)
    return _ratio(found, np.minimum(cutoff, hits.sum(axis=1)))


def ap_over_cutoff(hits: Hits, cutoff: int) -> PerQuery:
    """AP@K/K: sum of P@k over the hits in the first K, divided by K, however few items are relevant.

    The self-supervised video papers (SSVH, BTH, ConMH, S5VH) use it; it falls with K.
    """
    return _sum_at_hits(_top(hits, cutoff), _precision_at_hits) / cutoff


def ap_trapezoid(hits: Hits) -> PerQuery:
    """AP_trapezoid: sum over hits of (precision just before the hit + precision at the hit) / 2, divided by n+.

    The area under the P-R curve by trapezoids (Oxford buildings benchmark; UH-BDNN, SH-BDNN demos); precision before
    the first rank counts as 1.
    """
    return _ratio(_sum_at_hits(hits, _trapezoid_at_hits), hits.sum(axis=1))


def _top(hits: Hits, cutoff: int) -> Hits:
    if cutoff < 1:
        raise InvalidSetting("cutoff", str(cutoff), "at least 1")
    return hits[:, :cutoff]


def _precision_at_hits(ranks: NDArray[np.int64], nth_hit: NDArray[np.int64]) -> PerQuery:
    return nth_hit / ranks


def _trapezoid_at_hits(ranks: NDArray[np.int64], nth_hit: NDArray[np.int64]) -> PerQuery:
    before = np.where(ranks == 1, 1.0, (nth_hit - 1) / np.maximum(ranks - 1, 1))
    return (before + nth_hit / ranks) / 2


def _sum_at_hits(hits: Hits, value_at_hits: ValueAtHits) -> PerQuery:
    """Sum per query of `value_at_hits(rank of a hit, how many hits up to and with it)`; both count from 1."""
    queries, positions = np.nonzero(hits)
    num_hits = hits.sum(axis=1)
    nth_hit = np.arange(1, len(queries) + 1) - np.repeat(np.cumsum(num_hits) - num_hits, num_hits)
    sums = np.bincount(queries, weights=value_at_hits(positions + 1, nth_hit), minlength=len(hits))
    return sums.astype(np.float64)  # of no hits at all numpy makes integers


def _ratio(sums: PerQuery, counts: NDArray[np.int64]) -> PerQuery:
    return sums / np.maximum(counts, 1)  # a count of 0 comes with a sum of 0
