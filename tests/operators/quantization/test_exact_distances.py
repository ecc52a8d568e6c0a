import numpy as np
import pytest

from operators.errors import NonFiniteFeatures, ShapeMismatch
from operators.quantization.exact_distances import ExactDistances


def _rows(num_rows: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((num_rows, 20)) * 30).astype(np.float32)


def test_distances_are_those_of_loops() -> None:
    rows, centres = _rows(15, 0), _rows(7, 1)
    expected = [[np.square(row.astype(np.float64) - centre).sum() for centre in centres] for row in rows]
    np.testing.assert_allclose(ExactDistances(centres).squared(rows), expected, rtol=1e-6)


def test_a_row_on_a_centre_is_at_distance_zero_or_a_hair_more() -> None:
    centres = _rows(7, 1)
    squared = ExactDistances(centres).squared(centres)
    assert (squared >= 0).all()
    np.testing.assert_allclose(np.diag(squared), 0, atol=1e-6 * np.square(centres).sum(axis=1).max())


def test_a_distance_depends_on_its_row_alone() -> None:
    distances, rows = ExactDistances(_rows(9, 1)), _rows(50, 0)
    whole = distances.squared(rows)
    np.testing.assert_array_equal(np.concatenate([distances.squared(rows[:1]), distances.squared(rows[1:])]), whole)
    np.testing.assert_array_equal(distances.squared(rows[::-1])[::-1], whole)


def test_wrong_rows_are_refused() -> None:
    distances = ExactDistances(_rows(3, 1))
    with pytest.raises(ShapeMismatch):
        distances.squared(np.zeros((2, 5), np.float32))
    with pytest.raises(NonFiniteFeatures):
        distances.squared(np.full((1, 20), np.nan, np.float32))
