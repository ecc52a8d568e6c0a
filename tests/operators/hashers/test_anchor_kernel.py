import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.hashers.anchor_kernel import AnchorKernel


def test_similarities_are_those_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    anchors, sample, rows = (rng.standard_normal((n, 5)).astype(np.float32) for n in (4, 60, 9))
    kernel = AnchorKernel.fit(anchors, sample, bandwidth=0.7)
    distances = np.linalg.norm(sample[:, None].astype(np.float64) - anchors, axis=2)
    assert float(kernel.bandwidth[0]) == pytest.approx(0.7 * distances.mean(), rel=1e-6)
    squared = np.square(rows[:, None].astype(np.float64) - anchors).sum(axis=2)
    expected = np.exp(-squared / float(kernel.bandwidth[0]) ** 2)
    np.testing.assert_allclose(kernel.similarities(rows), expected, rtol=1e-5)
    assert kernel.similarities(rows[:0]).shape == (0, 4)
    np.testing.assert_allclose(np.diag(kernel.similarities(anchors)), 1, rtol=1e-6)


def test_items_that_are_all_the_same_have_no_bandwidth() -> None:
    with pytest.raises(InvalidSetting, match="all the same"):
        AnchorKernel.fit(np.ones((3, 2), np.float32), np.ones((5, 2), np.float32), 1.0)
