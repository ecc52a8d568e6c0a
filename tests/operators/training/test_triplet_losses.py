"""The triplet loss against plain loops and finite differences."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.training.triplet_losses import squared_distances, weighted_triplet_loss


def _parts(seed: int, num_anchors: int = 4, num_far: int = 6) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    shapes = ((num_anchors,), (num_anchors, num_far), (num_anchors, num_far))
    near, far, weights = (torch.from_numpy(rng.random(shape)) for shape in shapes)
    return near, far, weights * (weights > 0.3)


@given(st.integers(0, 2**32), st.floats(0, 2))
@settings(max_examples=30, deadline=None)
def test_it_is_the_weighted_mean_of_the_hinges(seed: int, margin: float) -> None:
    near, far, weights = _parts(seed)
    total = weight = 0.0
    for i in range(len(near)):
        for k in range(far.shape[1]):
            total += float(weights[i, k]) * max(0.0, margin + float(near[i]) - float(far[i, k]))
            weight += float(weights[i, k])
    expected = total / weight if weight else 0.0
    np.testing.assert_allclose(float(weighted_triplet_loss(near, far, weights, margin=margin)), expected, atol=1e-12)


def test_without_weights_it_is_zero() -> None:
    near, far, weights = _parts(0)
    assert float(weighted_triplet_loss(near, far, 0 * weights, margin=1.0)) == 0


def test_the_gradient_agrees_with_finite_differences() -> None:
    rng = np.random.default_rng(4)
    rows = torch.from_numpy(rng.standard_normal((8, 5)))
    weights = torch.from_numpy(rng.random((4, 8)))

    def loss(points: torch.Tensor) -> torch.Tensor:
        near = (points[:4] - points[4:]).square().sum(dim=1)
        return weighted_triplet_loss(near, squared_distances(points[:4], points), weights, margin=1.0)

    points = rows.clone().requires_grad_()
    loss(points).backward()  # type: ignore[no-untyped-call]
    assert points.grad is not None
    for row, column in [(0, 0), (3, 4), (5, 2), (7, 1)]:
        step = torch.zeros_like(rows)
        step[row, column] = 1e-6
        difference = (loss(rows + step) - loss(rows - step)) / 2e-6
        np.testing.assert_allclose(float(points.grad[row, column]), float(difference), rtol=1e-5, atol=1e-8)


def test_squared_distances_are_those_of_plain_loops() -> None:
    rng = np.random.default_rng(1)
    rows, others = (torch.from_numpy(rng.standard_normal((count, 3))) for count in (4, 5))
    for i in range(4):
        for j in range(5):
            expected = sum((float(rows[i, d]) - float(others[j, d])) ** 2 for d in range(3))
            np.testing.assert_allclose(float(squared_distances(rows, others)[i, j]), expected, rtol=1e-9)
