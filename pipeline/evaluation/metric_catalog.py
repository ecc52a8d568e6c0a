"""Every metric a report holds: its name, what it means, and the function that computes it per query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from operators.metrics import average_precision as ap
from operators.metrics import tie_expected_precision as expected
from operators.metrics.distance_histogram import DistanceHistogram
from operators.metrics.hamming_radius import precision_within_radius, recall_within_radius
from operators.metrics.precision_at_cutoff import precision_at, recall_at

PerQuery = NDArray[np.float64]
LOOKUP_RADIUS = 2


@dataclass(frozen=True, kw_only=True)
class RankMetric:
    """A metric of one ranked order, ties broken by the seed. `measure`: bool hits `(num_queries, num_database)`."""

    name: str
    meaning: str
    measure: Callable[[NDArray[np.bool_]], PerQuery]


@dataclass(frozen=True, kw_only=True)
class HistogramMetric:
    """A metric that depends on distances only, not on the order of ties."""

    name: str
    meaning: str
    measure: Callable[[DistanceHistogram], PerQuery]


def rank_metrics(cutoffs: tuple[int, ...]) -> tuple[RankMetric, ...]:
    """Metrics of the ranked order; those at a cut-off once for each of `cutoffs`."""
    whole = (
        RankMetric(name="ap_all", meaning="AP_all: sum of P@k at hits / n+, whole ranking", measure=ap.ap_all),
        RankMetric(
            name="ap_trapezoid",
            meaning="AP_trapezoid: sum at hits of the mean of precision before and at the hit / n+",
            measure=ap.ap_trapezoid,
        ),
    )
    return whole + tuple(metric for cutoff in cutoffs for metric in _at_cutoff(cutoff))


def headline_metrics(cutoffs: tuple[int, ...]) -> tuple[RankMetric, ...]:
    """Those of `rank_metrics` that results are compared by."""
    wanted = {"ap_all", *(f"{name}_at_{cutoff}" for name in ("map", "precision") for cutoff in cutoffs)}
    return tuple(metric for metric in rank_metrics(cutoffs) if metric.name in wanted)


def _at_cutoff(cutoff: int) -> tuple[RankMetric, ...]:
    entries: tuple[tuple[str, str, Callable[..., PerQuery]], ...] = (
        ("map_at_{k}", "AP@{k}/hits: sum of P@k at hits in the first {k} / number of those hits", ap.ap_over_hits),
        (
            "map_at_{k}_hitless_dropped",
            "AP@{k}/hits over the queries that have a hit in the first {k}",
            ap.ap_over_hits_or_nan,
        ),
        ("ap_at_{k}_over_min", "AP@{k}/min: the same sum / min({k}, n+)", ap.ap_over_min),
        ("ap_at_{k}_over_k", "AP@{k}/{k}: the same sum / {k}", ap.ap_over_cutoff),
        ("precision_at_{k}", "P@{k}: hits in the first {k} / {k}", precision_at),
        ("recall_at_{k}", "recall@{k}: hits in the first {k} / n+", recall_at),
    )
    return tuple(
        RankMetric(
            name=name.format(k=cutoff), meaning=meaning.format(k=cutoff), measure=partial(measure, cutoff=cutoff)
        )
        for name, meaning, measure in entries
    )


def histogram_metrics(cutoffs: tuple[int, ...], *, bit_distances: bool) -> tuple[HistogramMetric, ...]:
    """Tie-expected values and, where distances count bits, hash lookup within radius 2."""
    entries: list[tuple[str, str, Callable[[DistanceHistogram], PerQuery]]] = [
        ("ap_all_tie_expected", "AP_all", expected.expected_ap_all)
    ]
    for cutoff in cutoffs:
        entries += [
            (
                f"map_at_{cutoff}_tie_expected",
                f"AP@{cutoff}/hits",
                partial(expected.expected_ap_over_hits, cutoff=cutoff),
            ),
            (
                f"ap_at_{cutoff}_over_min_tie_expected",
                f"AP@{cutoff}/min",
                partial(expected.expected_ap_over_min, cutoff=cutoff),
            ),
            (
                f"ap_at_{cutoff}_over_k_tie_expected",
                f"AP@{cutoff}/{cutoff}",
                partial(expected.expected_ap_over_cutoff, cutoff=cutoff),
            ),
            (
                f"precision_at_{cutoff}_tie_expected",
                f"P@{cutoff}",
                partial(expected.expected_precision_at, cutoff=cutoff),
            ),
            (
                f"recall_at_{cutoff}_tie_expected",
                f"recall@{cutoff}",
                partial(expected.expected_recall_at, cutoff=cutoff),
            ),
        ]
    metrics = [
        HistogramMetric(name=name, meaning=f"{what}: exact mean over every order of ties", measure=measure)
        for name, what, measure in entries
    ]
    return (*metrics, *(_radius_metrics() if bit_distances else ()))


def metric_meanings(cutoffs: tuple[int, ...]) -> dict[str, str]:
    """What every metric means, by name, in the order of a report."""
    catalog: list[RankMetric | HistogramMetric] = [*rank_metrics(cutoffs)]
    catalog += histogram_metrics(cutoffs, bit_distances=True)
    return {metric.name: metric.meaning for metric in catalog}


def _radius_metrics() -> tuple[HistogramMetric, ...]:
    ball = f"items within Hamming radius {LOOKUP_RADIUS}"
    return (
        HistogramMetric(
            name=f"precision_radius_{LOOKUP_RADIUS}",
            meaning=f"share of relevant items among {ball}; 0 when there are none",
            measure=partial(precision_within_radius, radius=LOOKUP_RADIUS),
        ),
        HistogramMetric(
            name=f"recall_radius_{LOOKUP_RADIUS}",
            meaning=f"share of the relevant items that are among {ball}",
            measure=partial(recall_within_radius, radius=LOOKUP_RADIUS),
        ),
    )
