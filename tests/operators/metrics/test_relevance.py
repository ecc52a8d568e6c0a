import numpy as np
import pytest

from operators.errors import ShapeMismatch
from operators.metrics.relevance import same_label, shared_label


def test_same_label_equals_loops() -> None:
    generator = np.random.default_rng(0)
    queries, database = generator.integers(0, 4, 7), generator.integers(0, 4, 20)
    expected = [[query == item for item in database] for query in queries[2:5]]
    assert same_label(queries, database)(slice(2, 5)).tolist() == expected


def test_shared_label_equals_loops() -> None:
    generator = np.random.default_rng(0)
    queries, database = generator.random((6, 5)) < 0.3, generator.random((9, 5)) < 0.3
    expected = [[any(a and b for a, b in zip(query, item, strict=True)) for item in database] for query in queries[1:4]]
    rows = shared_label(queries, database)(slice(1, 4))
    assert rows.dtype == np.bool_
    assert rows.tolist() == expected


def test_an_item_without_labels_is_relevant_to_nothing() -> None:
    assert not shared_label(np.zeros((1, 3), np.bool_), np.ones((2, 3), np.bool_))(slice(None)).any()


@pytest.mark.parametrize(
    ("queries", "database"),
    [
        (np.zeros((2, 3), np.int64), np.zeros((2, 3), np.bool_)),
        (np.zeros((2, 3), np.bool_), np.zeros((2, 4), np.bool_)),
    ],
)
def test_label_matrices_that_disagree_are_refused(queries: np.ndarray, database: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match="labels"):
        shared_label(queries, database)


def test_label_lists_must_be_flat() -> None:
    with pytest.raises(ShapeMismatch, match="database_labels"):
        same_label(np.zeros(2, np.int64), np.zeros((2, 1), np.int64))
