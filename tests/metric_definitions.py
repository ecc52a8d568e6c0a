"""Retrieval metrics as their definitions read: one query, plain loops. Slow and obvious, on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product
from math import nan


def precision(hits: Sequence[bool], k: int) -> float:
    return sum(hits[:k]) / k


def _sum_of_precisions(hits: Sequence[bool], depth: int) -> float:
    return sum(precision(hits, k) for k in range(1, min(depth, len(hits)) + 1) if hits[k - 1])


def ap_all(hits: Sequence[bool]) -> float:
    return _sum_of_precisions(hits, len(hits)) / sum(hits) if any(hits) else 0.0


def ap_over_hits(hits: Sequence[bool], cutoff: int) -> float:
    found = sum(hits[:cutoff])
    return _sum_of_precisions(hits, cutoff) / found if found else 0.0


def ap_over_hits_or_nan(hits: Sequence[bool], cutoff: int) -> float:
    return ap_over_hits(hits, cutoff) if any(hits[:cutoff]) else nan


def ap_over_min(hits: Sequence[bool], cutoff: int) -> float:
    return _sum_of_precisions(hits, cutoff) / min(cutoff, sum(hits)) if any(hits) else 0.0


def ap_over_cutoff(hits: Sequence[bool], cutoff: int) -> float:
    return _sum_of_precisions(hits, cutoff) / cutoff


def ap_trapezoid(hits: Sequence[bool]) -> float:
    area, before = 0.0, 1.0
    for k in range(1, len(hits) + 1):
        if hits[k - 1]:
            area += (before + precision(hits, k)) / 2
        before = precision(hits, k)
    return area / sum(hits) if any(hits) else 0.0


def recall(hits: Sequence[bool], cutoff: int) -> float:
    return sum(hits[:cutoff]) / sum(hits) if any(hits) else 0.0


def precision_at_recall(hits: Sequence[bool], percent: int) -> float:
    for k in range(1, len(hits) + 1):
        if any(hits) and 100 * sum(hits[:k]) >= percent * sum(hits):
            return precision(hits, k)
    return nan


def rankings(distances: Sequence[int], relevant: Sequence[bool]) -> Iterator[list[bool]]:
    """Relevance in ranked order, for every order of the tied items (each equally likely)."""
    groups = [
        [hit for other, hit in zip(distances, relevant, strict=True) if other == distance]
        for distance in sorted(set(distances))
    ]
    for orders in product(*(list(permutations(group)) for group in groups)):
        yield [hit for order in orders for hit in order]


def expectation(metric: Callable[[Sequence[bool]], float], distances: Sequence[int], relevant: Sequence[bool]) -> float:
    values = [metric(hits) for hits in rankings(distances, relevant)]
    return sum(values) / len(values)
