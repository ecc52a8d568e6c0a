"""APHash's objective against the sums as they are written, and its gradients against finite differences."""

import numpy as np
import pytest
import torch

from operators.training.neighborhood_divergence import (
    NeighborhoodDivergence,
    binary_penalty,
    binary_penalty_gradient,
)

_NUM_ITEMS, _NUM_ANCHORS, _NUM_BITS = 30, 4, 3


def _members() -> torch.Tensor:
    members = torch.from_numpy(np.random.default_rng(0).random((_NUM_ITEMS, _NUM_ANCHORS)) < 0.3)
    members[0] = True  # no anchor without a member
    return members


def _codes(num_rows: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((num_rows, _NUM_BITS)).astype(np.float32))


def _by_loops(members: np.ndarray, anchors: np.ndarray, items: np.ndarray) -> float:
    total = 0.0
    for i, anchor in enumerate(anchors):
        similar = [1 / (1 + np.square(anchor - item).sum() / 4) for item in items]
        for j, one in enumerate(similar):
            p, q = members[j, i] / members[:, i].sum(), one / sum(similar)
            total += p * np.log(p / q) if p > 0 else 0.0
    return total


def test_the_value_is_the_divergence_of_plain_loops() -> None:
    members, anchors, items = _members(), _codes(_NUM_ANCHORS, 1), _codes(_NUM_ITEMS, 2)
    expected = _by_loops(members.numpy(), anchors.double().numpy(), items.double().numpy())
    assert NeighborhoodDivergence(members).value(anchors, items) == pytest.approx(expected, rel=1e-5)


def test_blocks_of_items_add_up() -> None:
    num_items, num_anchors = 1300, 512  # more than two blocks, the last one shorter
    members = torch.from_numpy(np.random.default_rng(0).random((num_items, num_anchors)) < 0.1)
    anchors, items = _codes(num_anchors, 1), _codes(num_items, 2)
    divergence = NeighborhoodDivergence(members)
    similar = 1 / (1 + torch.cdist(items.double(), anchors.double()).square() / 4)
    torch.testing.assert_close(divergence.similarity_sums(anchors, items), similar.sum(dim=0), rtol=1e-5, atol=0)
    forces = (members / members.sum(dim=0) - similar / similar.sum(dim=0)) * similar
    expected = 0.5 * (forces.sum(dim=1)[:, None] * items - forces @ anchors.double())
    torch.testing.assert_close(divergence.item_gradient(anchors, items).double(), expected, rtol=1e-4, atol=1e-7)
    expected = 0.5 * (forces.sum(dim=0)[:, None] * anchors - forces.T @ items.double())
    torch.testing.assert_close(divergence.anchor_gradient(anchors, items).double(), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("side", ["anchors", "items"])
def test_gradients_are_finite_differences(side: str) -> None:
    members, anchors, items = _members(), _codes(_NUM_ANCHORS, 1), _codes(_NUM_ITEMS, 2)
    divergence = NeighborhoodDivergence(members)
    gradient = (divergence.anchor_gradient if side == "anchors" else divergence.item_gradient)(anchors, items)
    tables = {"anchors": anchors.double().numpy(), "items": items.double().numpy()}
    step = 1e-5
    for place in [(0, 0), (3, 1), (2, 2)]:
        values = []
        for sign in (1, -1):
            moved = {name: table.copy() for name, table in tables.items()}
            moved[side][place] += sign * step
            values.append(_by_loops(members.numpy(), moved["anchors"], moved["items"]))
        assert float(gradient[place]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-3, abs=1e-6)


def test_the_binary_penalty_and_its_gradient() -> None:
    codes = torch.tensor([[0.5, -2.0], [1.0, -1.0]], requires_grad=True)
    penalty = binary_penalty(codes)
    assert float(penalty.detach()) == pytest.approx((0.25 + 1 + 0 + 0) / 4)
    (expected,) = torch.autograd.grad(penalty, codes)
    torch.testing.assert_close(binary_penalty_gradient(codes.detach()), expected)
