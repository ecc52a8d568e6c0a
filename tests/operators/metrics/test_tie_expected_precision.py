from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.metrics import tie_expected_precision as fast
from operators.metrics.average_precision import ap_all, ap_over_hits
from operators.metrics.distance_histogram import DistanceHistogram
from operators.metrics.tie_breaking import ranked_hits, tie_breaking_order
from tests import metric_definitions as slow

NUM_DISTANCES = 4
items = st.lists(st.tuples(st.integers(0, NUM_DISTANCES - 1), st.booleans()), min_size=1, max_size=6)
CUT = [
    (fast.expected_ap_over_hits, slow.ap_over_hits),
    (fast.expected_ap_over_min, slow.ap_over_min),
    (fast.expected_ap_over_cutoff, slow.ap_over_cutoff),
    (fast.expected_precision_at, slow.precision),
    (fast.expected_recall_at, slow.recall),
]


def _histogram(pairs: list[tuple[int, bool]]) -> DistanceHistogram:
    distances = np.array([[distance for distance, _ in pairs]], dtype=np.uint8)
    return DistanceHistogram.count(distances, np.array([[hit for _, hit in pairs]]), NUM_DISTANCES)


@given(items)
@settings(max_examples=60, deadline=None)
def test_ap_all_is_the_mean_over_every_order_of_ties(pairs: list[tuple[int, bool]]) -> None:
    distances, relevant = zip(*pairs, strict=True)
    expected = slow.expectation(slow.ap_all, distances, relevant)
    assert fast.expected_ap_all(_histogram(pairs))[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("metric", "definition"), CUT)
@given(pairs=items, cutoff=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_cut_metrics_are_the_mean_over_every_order_of_ties(
    metric: Callable[..., NDArray[np.float64]],
    definition: Callable[..., float],
    pairs: list[tuple[int, bool]],
    cutoff: int,
) -> None:
    distances, relevant = zip(*pairs, strict=True)
    expected = slow.expectation(lambda hits: definition(hits, cutoff), distances, relevant)
    assert metric(_histogram(pairs), cutoff)[0] == pytest.approx(expected, abs=1e-12)


def test_hand_computed() -> None:
    # Two tied items, one relevant: AP_all is 1 or 1/2, with even chances.
    assert fast.expected_ap_all(_histogram([(1, True), (1, False)]))[0] == pytest.approx(0.75)
    # AP@1/hits of the same: 1 or 0.
    assert fast.expected_ap_over_hits(_histogram([(1, True), (1, False)]), 1)[0] == pytest.approx(0.5)


def test_large_groups_agree_with_the_mean_over_many_seeded_orders() -> None:
    generator = np.random.default_rng(0)
    relevant = generator.random((1, 2000)) < 0.3
    distances = np.where(relevant, generator.binomial(8, 0.4, (1, 2000)), generator.binomial(8, 0.5, (1, 2000)))
    histogram = DistanceHistogram.count(distances.astype(np.uint8), relevant, 9)
    orders = [ranked_hits(distances.astype(np.uint8), relevant, tie_breaking_order(2000, seed)) for seed in range(400)]
    shuffled = np.concatenate(orders)
    assert fast.expected_ap_all(histogram)[0] == pytest.approx(ap_all(shuffled).mean(), abs=2e-3)
    assert fast.expected_ap_over_hits(histogram, 100)[0] == pytest.approx(ap_over_hits(shuffled, 100).mean(), abs=0.01)


def test_without_ties_it_is_the_plain_metric() -> None:
    relevant = np.random.default_rng(0).random((5, 200)) < 0.2
    distances = np.tile(np.arange(200, dtype=np.uint8), (5, 1))
    histogram = DistanceHistogram.count(distances, relevant, 200)
    np.testing.assert_allclose(fast.expected_ap_all(histogram), ap_all(relevant), rtol=1e-12)
    np.testing.assert_allclose(fast.expected_ap_over_hits(histogram, 30), ap_over_hits(relevant, 30), rtol=1e-12)


@pytest.mark.parametrize(("metric", "_definition"), CUT)
def test_cutoff_of_zero_is_refused(metric: Callable[..., NDArray[np.float64]], _definition: object) -> None:
    with pytest.raises(InvalidSetting, match="cutoff"):
        metric(_histogram([(0, True)]), 0)
