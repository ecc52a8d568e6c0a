"""`compared_rates`: what `bitquarry bench` says of a figure and of its comparator, taken by turns in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any


def compared_rates(figures: Sequence[float], comparators: Sequence[float]) -> dict[str, Any]:
    """Medians over the rounds, their ratio, and for each of the three the least and the largest of a round."""
    figure, comparator = statistics.median(figures), statistics.median(comparators)
    return {
        "figure": figure,
        "comparator": comparator,
        "ratio": figure / comparator,
        "figure_spread": _spread(figures),
        "comparator_spread": _spread(comparators),
        "ratio_spread": _spread(ratios_by_round(figures, comparators)),
    }


def ratios_by_round(figures: Sequence[float], comparators: Sequence[float]) -> list[float]:
    return [ours / theirs for ours, theirs in zip(figures, comparators, strict=True)]


def _spread(values: Sequence[float]) -> list[float]:
    return [min(values), max(values)]
