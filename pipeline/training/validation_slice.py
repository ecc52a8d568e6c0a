"""A slice of the sample that is not trained on: how good the codes are after every epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.hashers.hasher import Hasher
from operators.hashers.quantizer import Quantizer
from operators.metrics.average_precision import ap_over_hits
from operators.metrics.code_health import CodeHealth, code_health
from operators.search.block_scan import rank_nearest
from operators.search.search_queries import scan_of

NUM_NEIGHBOURS = 10
# Caps that keep a measurement shorter than an epoch.
_MAX_QUERIES = 1000
_MAX_DATABASE = 5000
_QUERY_BLOCK = 100


@dataclass(frozen=True, eq=False)
class SampleSplit:
    """Rows of the sample, int64, ascending: `training` and `validation` share none and make up all."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_sample(num_items: int, labels: NDArray[np.int64] | None, *, share: float, seed: int) -> SampleSplit:
    """A seeded `share` of the rows, rounded down, for validation. The last row of a class is never taken from training.

    Too few items for one validation row give none.
    """
    order = np.random.default_rng(seed).permutation(num_items)
    num_wanted = int(num_items * share)
    if labels is None:
        chosen = order[:num_wanted]
    else:
        _, classes = np.unique(labels, return_inverse=True)
        remaining = np.bincount(classes)
        taken: list[int] = []
        for row in order.tolist():
            if len(taken) == num_wanted:
                break
            if remaining[classes[row]] > 1:
                remaining[classes[row]] -= 1
                taken.append(row)
        chosen = np.array(taken, np.int64)
    is_chosen = np.zeros(num_items, np.bool_)
    is_chosen[chosen] = True
    return SampleSplit(np.flatnonzero(~is_chosen), np.flatnonzero(is_chosen))


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`metric` and `value` as in `EpochFigures`; `health` of the codes of queries and database."""

    metric: str | None
    value: float | None
    health: CodeHealth


class ValidationSlice:
    """Validation rows search training rows (at most 1,000 and 5,000, drawn with `seed`), each for 10 neighbours.

    With labels the value is the mean AP@10/hits; without, the share of the 10 nearest in feature space (Euclidean) that
    are also among the 10 nearest by code. Equal distances are in random, seeded order. Without validation rows only the
    codes' health is measured.
    """

    def __init__(
        self, features: NDArray[np.float32], labels: NDArray[np.int64] | None, split: SampleSplit, *, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        queries = rng.permutation(split.validation)[:_MAX_QUERIES]
        database = rng.permutation(split.training)[:_MAX_DATABASE]
        self._queries, self._database = features[queries], features[database]
        self._metric = None if len(queries) == 0 else "neighbours_at_10" if labels is None else "map_at_10"
        self._relevant = _nearest_rows(self._queries, self._database)
        self._labels = None if labels is None else (labels[queries], labels[database])

    def measure(self, hasher: Hasher) -> Measured:
        """Of the hasher as it is now. Raises `NotFitted`."""
        queries, database = hasher.encode(self._queries), hasher.encode(self._database)
        health = code_health(BinaryCodes(np.concatenate([queries.packed, database.packed]), queries.num_bits))
        if self._metric is None:
            return Measured(metric=None, value=None, health=health)
        sought = hasher.lookup_tables(self._queries) if isinstance(hasher, Quantizer) else queries
        ids = np.arange(len(database), dtype=np.int64)  # rows are in random order, so ties are too
        found = rank_nearest(scan_of(database, sought), ids, k=min(NUM_NEIGHBOURS, len(database))).ids
        return Measured(metric=self._metric, value=self._value(found), health=health)

    def _value(self, found: NDArray[np.int64]) -> float:
        if self._labels is not None:
            of_queries, of_database = self._labels
            return float(ap_over_hits(of_database[found] == of_queries[:, None], NUM_NEIGHBOURS).mean())
        shared = [len(np.intersect1d(mine, nearest)) for mine, nearest in zip(found, self._relevant, strict=True)]
        return float(np.mean(shared) / found.shape[1])


def _nearest_rows(queries: NDArray[np.float32], database: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows of the nearest database vectors of every query, int64 `(num_queries, at most 10)`, in no order."""
    k = min(NUM_NEIGHBOURS, len(database))
    squares = np.square(database, dtype=np.float64).sum(axis=1)
    nearest = [np.empty((0, k), np.int64)]
    for start in range(0, len(queries), _QUERY_BLOCK):
        block = queries[start : start + _QUERY_BLOCK].astype(np.float64)
        distances = squares - 2 * block @ database.astype(np.float64).T
        nearest.append(np.argsort(distances, axis=1, kind="stable")[:, :k])
    return np.concatenate(nearest)
