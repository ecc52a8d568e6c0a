import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import ShapeMismatch
from operators.metrics.tie_breaking import ranked_hits, tie_breaking_order


@given(st.integers(1, 5), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_equals_a_sort_by_distance_then_place_in_the_order(num_queries: int, num_items: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    distances = generator.integers(0, 4, (num_queries, num_items), dtype=np.uint8)
    relevant = generator.integers(0, 2, (num_queries, num_items)).astype(np.bool_)
    order = tie_breaking_order(num_items, seed)
    place = {int(item): position for position, item in enumerate(order)}
    expected = [
        [hits[item] for item in sorted(range(num_items), key=lambda item: (row[item], place[item]))]
        for row, hits in zip(distances.tolist(), relevant.tolist(), strict=True)
    ]
    assert ranked_hits(distances, relevant, order).tolist() == expected


def test_order_follows_the_seed() -> None:
    assert np.array_equal(tie_breaking_order(100, 7), tie_breaking_order(100, 7))
    assert not np.array_equal(tie_breaking_order(100, 7), tie_breaking_order(100, 8))
    assert sorted(tie_breaking_order(100, 7)) == list(range(100))


def test_a_database_sorted_by_class_gives_no_advantage_to_the_first_class() -> None:
    relevant = np.zeros((1, 1000), np.bool_)
    relevant[0, :100] = True  # all tied: the order of the array would put every hit first
    hits = ranked_hits(np.zeros((1, 1000), np.uint8), relevant, tie_breaking_order(1000, 0))
    assert hits[0, :100].sum() < 30


@pytest.mark.parametrize(
    ("distances", "relevant", "num_columns"),
    [
        (np.zeros((2, 3), np.int64), np.zeros((2, 3), np.bool_), 3),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 4), np.bool_), 3),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.bool_), 4),
    ],
)
def test_disagreeing_inputs_are_refused(distances: np.ndarray, relevant: np.ndarray, num_columns: int) -> None:
    with pytest.raises(ShapeMismatch):
        ranked_hits(distances, relevant, np.arange(num_columns))
