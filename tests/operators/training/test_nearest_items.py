import numpy as np
import pytest

from operators.training.nearest_items import nearest_items


@pytest.mark.parametrize("num_items", [8, 1030])
def test_they_are_the_nearest_without_the_item_itself(num_items: int) -> None:
    """1030 items: more than one block."""
    rows = np.random.default_rng(0).standard_normal((num_items, 5)).astype(np.float32)
    found = nearest_items(rows, 6)
    assert found.shape == (num_items, 6)
    for item in range(0, num_items, max(1, num_items // 20)):
        distances = np.linalg.norm(rows.astype(np.float64) - rows[item], axis=1)
        distances[item] = np.inf
        np.testing.assert_allclose(distances[found[item]], np.sort(distances)[:6], rtol=1e-5)
        assert item not in found[item]


def test_copies_are_nearest_to_each_other() -> None:
    rows = np.repeat(np.random.default_rng(0).standard_normal((10, 5)).astype(np.float32), 2, axis=0)
    np.testing.assert_array_equal(nearest_items(rows, 1)[:, 0], np.arange(20) ^ 1)
