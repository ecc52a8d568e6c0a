"""k-means against plain loops; errors that never rise; empty centres that come back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import InvalidSetting
from operators.quantization.k_means import k_means, nearest_centre


def _rows(num_rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((num_rows, 5)) + 4 * rng.integers(0, 3, (num_rows, 1))).astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_nearest_centre_is_that_of_plain_loops(num_rows: int, num_centres: int, seed: int) -> None:
    rows, centres = _rows(num_rows, seed), _rows(num_centres, seed + 1)
    assignment, squared = nearest_centre(rows, centres)
    for row, chosen, given_squared in zip(rows, assignment, squared, strict=True):
        every = [float(((row.astype(np.float64) - centre) ** 2).sum()) for centre in centres]
        assert every[chosen] == pytest.approx(min(every), abs=1e-4)
        assert given_squared == pytest.approx(every[chosen], abs=1e-4)


@given(st.integers(10, 120), st.integers(1, 10), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_the_error_never_rises_and_centres_are_means_in_the_end(num_rows: int, num_centres: int, seed: int) -> None:
    rows = _rows(num_rows, seed)
    found = k_means(rows, num_centres=num_centres, num_iterations=50, seed=seed)
    assert all(later <= earlier + 1e-6 for earlier, later in zip(found.errors, found.errors[1:], strict=False))
    for centre in np.unique(found.assignment):
        mean = rows[found.assignment == centre].mean(axis=0)
        np.testing.assert_allclose(found.centres[centre], mean, atol=1e-3)


def test_clusters_are_found_and_seeds_decide() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.eye(8) * 50, 30, axis=0)
    rows = (clusters + rng.standard_normal(clusters.shape)).astype(np.float32)
    found = k_means(rows, num_centres=8, num_iterations=20, seed=3)
    assert len(np.unique(found.assignment)) == 8
    assert all(len(np.unique(found.assignment[start : start + 30])) == 1 for start in range(0, 240, 30))
    again = k_means(rows, num_centres=8, num_iterations=20, seed=3)
    np.testing.assert_array_equal(found.centres, again.centres)


def test_a_centre_without_rows_moves_to_a_far_one() -> None:
    rows = np.concatenate([np.zeros((50, 2)), np.full((2, 2), 9.0), [[30.0, 0.0]]]).astype(np.float32)
    found = k_means(rows, num_centres=3, num_iterations=10, seed=0)
    assert found.errors[-1] == 0
    assert {tuple(centre) for centre in found.centres.tolist()} == {(0, 0), (9, 9), (30, 0)}


def test_rows_that_are_all_the_same_do_not_stop_it() -> None:
    found = k_means(np.ones((10, 3), np.float32), num_centres=4, num_iterations=5, seed=0)
    assert (found.centres == 1).all()


def test_more_centres_than_rows_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="num_centres = 6: expected at most 5"):
        k_means(_rows(5, 0), num_centres=6, num_iterations=1, seed=0)
