"""Every metric and curve of one ranking, computed in blocks of queries so that memory stays small."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import nan
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from operators.metrics.distance_histogram import DistanceHistogram
from operators.metrics.precision_at_cutoff import precision_at
from operators.metrics.precision_recall_curve import precision_at_recall
from operators.metrics.relevance import RelevanceRows
from operators.metrics.tie_breaking import ranked_hits, tie_breaking_order
from pipeline.errors import UsageError
from pipeline.evaluation.code_distances import CodeDistances, RowDistances
from pipeline.evaluation.metric_catalog import HistogramMetric, headline_metrics, histogram_metrics, rank_metrics

_BLOCK_PAIRS = 2**21
_RECALL_PERCENTS = np.arange(2, 101, 2)
_CURVE_CUTOFFS = (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 200, 300, 500, 700, 1000, 2000, 3000, 5000)
_RECALL_CURVE, _CUTOFF_CURVE, _HAS_RELEVANT, _CANDIDATES = "recall curve", "cutoff curve", "has relevant", "candidates"
_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class MeasurementSettings:
    """`cutoffs`: the K of metrics at K; those beyond the database are left out, except the first. `seed` breaks
    ties. `headline`: only map_at_K, precision_at_K, ap_all and the curves, in a fraction of the time."""

    cutoffs: tuple[int, ...] = (10, 100, 1000)
    seed: int = 0
    headline: bool = False

    def __post_init__(self) -> None:
        if not self.cutoffs or min(self.cutoffs) < 1:
            raise UsageError(f"cutoffs {list(self.cutoffs)}: expected at least one, each at least 1")

    def cutoffs_within(self, num_items: int) -> tuple[int, ...]:
        return tuple(cutoff for cutoff in self.cutoffs if cutoff <= num_items) or self.cutoffs[:1]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points of a curve, averaged over queries."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RetrievalMeasurement:
    """Means over queries. `metrics` are named as in `metric_catalog`; NaN where no query defines the metric.

    `precision_recall`: x recall, y precision. `precision_at_k`: x k, y P@k. `num_without_relevant`: queries to which
    nothing in the database is relevant (they score 0, and are left out of the P-R curve). `candidate_fraction`: share
    of the database that shares at least one table with a query, None where distances count bits.
    """

    metrics: dict[str, float]
    precision_recall: Curve
    precision_at_k: Curve
    num_without_relevant: int
    candidate_fraction: float | None


def measure_retrieval(
    distances: CodeDistances,
    relevant: RelevanceRows,
    settings: MeasurementSettings,
    *,
    self_columns: NDArray[np.int64] | None = None,
) -> RetrievalMeasurement:
    """`self_columns` int64 `(num_queries,)`: the database column that is the query itself and is left out of its
    ranking."""
    num_ranked = distances.num_database - (self_columns is not None)
    if distances.num_queries < 1 or num_ranked < 1:
        raise UsageError(
            f"{distances.num_queries} queries and {num_ranked} items to rank: expected at least one of each"
        )
    meter = _Meter(distances, settings, num_ranked)
    values: dict[str, list[NDArray[np.float64]]] = defaultdict(list)

    def measure(block: slice) -> dict[str, NDArray[np.float64]]:
        rows, hits = distances.rows(block), relevant(block)
        if self_columns is not None:
            left_out = self_columns[block]
            return meter.measure(cast("RowDistances", _without(rows, left_out)), _without(hits, left_out))
        return meter.measure(rows, hits)

    # Sorting and counting leave the interpreter lock alone: one thread per core.
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        for measured in threads.map(measure, _query_blocks(distances)):
            for name, per_query in measured.items():
                values[name].append(per_query)
    return meter.summary({name: np.concatenate(parts) for name, parts in values.items()})


class _Meter:
    """Per-query values of a block of queries, and their means in the end."""

    def __init__(self, distances: CodeDistances, settings: MeasurementSettings, num_ranked: int) -> None:
        cutoffs = settings.cutoffs_within(num_ranked)
        self._distances = distances
        self._rank_metrics = headline_metrics(cutoffs) if settings.headline else rank_metrics(cutoffs)
        self._histogram_metrics: tuple[HistogramMetric, ...] = ()
        if distances.num_distances is not None and not settings.headline:
            self._histogram_metrics = histogram_metrics(cutoffs, bit_distances=distances.nothing_shared is None)
        self._curve_cutoffs = tuple(cutoff for cutoff in _CURVE_CUTOFFS if cutoff <= num_ranked)
        self._tie_order = tie_breaking_order(num_ranked, settings.seed)

    def measure(self, distances: RowDistances, relevant: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
        hits = ranked_hits(distances, relevant, self._tie_order)
        values: dict[str, NDArray[np.float64]] = {metric.name: metric.measure(hits) for metric in self._rank_metrics}
        if self._histogram_metrics:
            whole = cast("NDArray[np.unsignedinteger]", distances)
            histogram = DistanceHistogram.count(whole, relevant, int(self._distances.num_distances or 0))
            values |= {metric.name: metric.measure(histogram) for metric in self._histogram_metrics}
        values[_RECALL_CURVE] = precision_at_recall(hits, _RECALL_PERCENTS)
        values[_CUTOFF_CURVE] = np.stack([precision_at(hits, cutoff) for cutoff in self._curve_cutoffs], axis=1)
        values[_HAS_RELEVANT] = np.asarray(relevant.any(axis=1), dtype=np.float64)
        if self._distances.nothing_shared is not None:
            values[_CANDIDATES] = np.asarray((distances < self._distances.nothing_shared).mean(axis=1))
        return values

    def summary(self, values: dict[str, NDArray[np.float64]]) -> RetrievalMeasurement:
        recall = tuple((_RECALL_PERCENTS / 100).tolist())
        return RetrievalMeasurement(
            metrics={
                name: _mean(values[name])
                for name in [metric.name for metric in self._rank_metrics]
                + [metric.name for metric in self._histogram_metrics]
            },
            precision_recall=Curve(x=recall, y=tuple(_mean(column) for column in values[_RECALL_CURVE].T)),
            precision_at_k=Curve(
                x=tuple(map(float, self._curve_cutoffs)), y=tuple(_mean(column) for column in values[_CUTOFF_CURVE].T)
            ),
            num_without_relevant=int(np.count_nonzero(values[_HAS_RELEVANT] == 0)),
            candidate_fraction=_mean(values[_CANDIDATES]) if _CANDIDATES in values else None,
        )


def _query_blocks(distances: CodeDistances) -> Iterator[slice]:
    step = max(1, _BLOCK_PAIRS // distances.num_database)
    return (slice(start, start + step) for start in range(0, distances.num_queries, step))


def _without(rows: NDArray[_Value], columns: NDArray[np.int64]) -> NDArray[_Value]:
    """Each row without its own one of `columns`."""
    kept = np.arange(rows.shape[1])[None, :] != columns[:, None]
    shorter: NDArray[_Value] = rows[kept].reshape(len(rows), rows.shape[1] - 1)
    return shorter


def _mean(values: NDArray[np.float64]) -> float:
    """Mean over the queries for which the metric is defined; NaN when there are none."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else nan
