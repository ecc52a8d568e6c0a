"""Expected value of a metric over every order of tied items: exact, and free of any seed.

Items at one distance form a tie group. Inside a group of n items, r of them relevant, behind N items, R of them
relevant, the item at place i (1..n) is relevant with probability r / n, and then (r - 1) / (n - 1) of the i - 1 before
it are, so

    E[sum of P@k over the group's first m places] = r/n * sum_{i<=m} (R + 1 + (i - 1) (r - 1) / (n - 1)) / (N + i)

(McSherry & Najork, ECIR 2008, "Computing information retrieval performance measures efficiently in the presence of tied
scores", derived here anew). With H the harmonic numbers, sum 1 / (N + i) = H(N + m) - H(N) and (i - 1) / (N + i) = 1 -
(N + 1) / (N + i): a closed form per group. Dividing by n+, min(R, n+) or K keeps it exact. AP@R/hits divides by a
random number: only the group that the cut-off splits is random, its number of hits h is hypergeometric, and given h the
places of the hits are uniform; so the expectation is one more finite sum over h. All functions return float64
`(num_queries,)`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.metrics.distance_histogram import DistanceHistogram

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def expected_ap_all(histogram: DistanceHistogram) -> Floats:
    """Expectation of AP_all."""
    groups = _TieGroups.within(histogram, None)
    return np.asarray(groups.expected_sums().sum(axis=1) / _at_least_one(groups.num_relevant))


def expected_ap_over_min(histogram: DistanceHistogram, cutoff: int) -> Floats:
    """Expectation of AP@R/min."""
    groups = _TieGroups.within(histogram, cutoff)
    return np.asarray(groups.expected_sums().sum(axis=1) / _at_least_one(np.minimum(cutoff, groups.num_relevant)))


def expected_ap_over_cutoff(histogram: DistanceHistogram, cutoff: int) -> Floats:
    """Expectation of AP@K/K."""
    return np.asarray(_TieGroups.within(histogram, cutoff).expected_sums().sum(axis=1) / cutoff)


def expected_ap_over_hits(histogram: DistanceHistogram, cutoff: int) -> Floats:
    """Expectation of AP@R/hits (0 for an order without a hit in the first R)."""
    groups = _TieGroups.within(histogram, cutoff)
    full_groups = np.where(groups.places == groups.sizes, groups.expected_sums(), 0.0)
    split = np.argmax((groups.places > 0) * np.arange(1, groups.sizes.shape[1] + 1), axis=1)
    full_groups[np.arange(len(split)), split] = 0.0
    log_factorials = _log_factorials(int(groups.sizes.max(initial=0)))
    expected = np.zeros(len(split))
    for query, (group, certain) in enumerate(zip(split, full_groups.sum(axis=1), strict=True)):
        expected[query] = groups.expectation_over_hits(query, int(group), float(certain), log_factorials)
    return expected


def expected_precision_at(histogram: DistanceHistogram, cutoff: int) -> Floats:
    """Expectation of P@K."""
    return _expected_hits(histogram, cutoff) / cutoff


def expected_recall_at(histogram: DistanceHistogram, cutoff: int) -> Floats:
    """Expectation of recall@K."""
    return _expected_hits(histogram, cutoff) / _at_least_one(histogram.relevant.sum(axis=1))


@dataclass(frozen=True, eq=False)
class _TieGroups:
    """Tie groups of every query, all `(num_queries, num_distances)`: items and relevant items in and before each
    group."""

    sizes: Counts
    relevant: Counts
    before: Counts
    relevant_before: Counts
    places: Counts  # how many places of the group the cut-off leaves
    harmonic: Floats  # H(0), H(1), …

    @classmethod
    def within(cls, histogram: DistanceHistogram, cutoff: int | None) -> _TieGroups:
        if cutoff is not None and cutoff < 1:
            raise InvalidSetting("cutoff", str(cutoff), "at least 1")
        sizes, relevant = histogram.totals, histogram.relevant
        before = np.cumsum(sizes, axis=1) - sizes
        places = sizes if cutoff is None else np.clip(cutoff - before, 0, sizes)
        num_items = int(sizes.sum(axis=1).max(initial=0))
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, num_items + 1))])
        return cls(sizes, relevant, before, np.cumsum(relevant, axis=1) - relevant, places, harmonic)

    @property
    def num_relevant(self) -> Counts:
        counts: Counts = self.relevant.sum(axis=1)
        return counts

    def _place_sums(self) -> tuple[Floats, Floats]:
        """Per group: sums over its places i of 1 / (N + i) and of (i - 1) / (N + i)."""
        inverse_ranks = self.harmonic[self.before + self.places] - self.harmonic[self.before]
        return inverse_ranks, self.places - (self.before + 1) * inverse_ranks

    def expected_sums(self) -> Floats:
        """Expected sum of P@k over the hits in each group's places."""
        inverse_ranks, earlier_ranks = self._place_sums()
        chance = self.relevant / _at_least_one(self.sizes)
        chance_of_another = np.maximum(self.relevant - 1, 0) / _at_least_one(self.sizes - 1)
        return chance * ((self.relevant_before + 1) * inverse_ranks + chance_of_another * earlier_ranks)

    def expectation_over_hits(self, query: int, group: int, certain: float, log_factorials: Floats) -> float:
        """E[(`certain` + sum over the split group) / hits], over the number of hits that fall into the group's
        places."""
        at = (query, group)
        size, relevant, places = int(self.sizes[at]), int(self.relevant[at]), int(self.places[at])
        hits = np.arange(max(0, places - (size - relevant)), min(places, relevant) + 1)
        chances = _hypergeometric(hits, (size, relevant, places), log_factorials)
        ranks = int(self.before[at]) + np.arange(1, places + 1)
        inverse_ranks = float((1.0 / ranks).sum())
        earlier_ranks = float((np.arange(places) / ranks).sum())
        known = int(self.relevant_before[at])
        another = np.maximum(hits - 1, 0) / max(places - 1, 1)
        in_group = hits / max(places, 1) * ((known + 1) * inverse_ranks + another * earlier_ranks)
        return float(np.sum(chances * (certain + in_group) / _at_least_one(known + hits)))


def _expected_hits(histogram: DistanceHistogram, cutoff: int) -> Floats:
    groups = _TieGroups.within(histogram, cutoff)
    return np.asarray((groups.places * groups.relevant / _at_least_one(groups.sizes)).sum(axis=1))


def _hypergeometric(hits: Counts, drawn: tuple[int, int, int], log_factorials: Floats) -> Floats:
    """Chance of each number of `hits` when `places` items are drawn from `size`, of which `relevant` are relevant."""
    size, relevant, places = drawn

    def log_choose(n: int, k: Counts | int) -> Floats:
        return np.asarray(log_factorials[n] - log_factorials[k] - log_factorials[n - k])

    log_chances = log_choose(relevant, hits) + log_choose(size - relevant, places - hits) - log_choose(size, places)
    return np.exp(log_chances)


def _log_factorials(largest: int) -> Floats:
    """log 0!, log 1!, … log largest!"""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, largest + 1)))])


def _at_least_one(counts: Counts) -> Counts:
    """Divisors: wherever a count is 0, so is what it divides."""
    return np.maximum(counts, 1)
