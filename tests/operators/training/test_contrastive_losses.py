"""CIBHash's losses against plain loops; neighbours by sorting all."""

import numpy as np
import pytest
import torch

from operators.training.contrastive_losses import (
    bernoulli_divergence,
    normalised_temperature_loss,
    straight_through_codes,
)
from operators.training.nearest_items import nearest_items


def test_the_contrastive_loss_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((4, 6)), rng.standard_normal((4, 6))
    rows = np.concatenate([first, second])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    total = 0.0
    for item in range(8):
        others = [other for other in range(8) if other != item]
        scores = {other: float(rows[item] @ rows[other]) / 0.3 for other in others}
        total += np.log(sum(np.exp(score) for score in scores.values())) - scores[(item + 4) % 8]
    loss = normalised_temperature_loss(torch.from_numpy(first), torch.from_numpy(second), 0.3)
    assert float(loss) == pytest.approx(total / 8)


def test_the_divergence_is_that_of_plain_loops_and_nothing_for_equals() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.uniform(0.05, 0.95, (3, 5)), rng.uniform(0.05, 0.95, (3, 5))
    total = 0.0
    for p_row, q_row in zip(first, second, strict=True):
        for p, q in zip(p_row, q_row, strict=True):
            forward = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
            backward = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
            total += (forward + backward) / 2
    assert float(bernoulli_divergence(torch.from_numpy(first), torch.from_numpy(second))) == pytest.approx(total / 3)
    assert float(bernoulli_divergence(torch.from_numpy(first), torch.from_numpy(first))) == 0


def test_codes_are_signs_whose_gradient_passes_straight_through() -> None:
    probabilities = torch.tensor([[0.2, 0.5, 0.9]], requires_grad=True)
    codes = straight_through_codes(probabilities)
    assert codes.tolist() == [[-1.0, 1.0, 1.0]]
    (codes * torch.tensor([[3.0, 4.0, 5.0]])).sum().backward()  # type: ignore[no-untyped-call]
    assert probabilities.grad is not None
    assert probabilities.grad.tolist() == [[6.0, 8.0, 10.0]]


def test_gradients_against_finite_differences() -> None:
    rng = np.random.default_rng(2)
    first, second = (torch.tensor(rng.standard_normal((4, 5)), requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: normalised_temperature_loss(a, b, 0.5), (first, second))
    sigmoids = (torch.sigmoid(first).detach().requires_grad_(), torch.sigmoid(second).detach().requires_grad_())
    assert torch.autograd.gradcheck(bernoulli_divergence, sigmoids)


def test_neighbours_are_those_of_sorting_all_distances() -> None:
    rows = np.random.default_rng(4).standard_normal((1100, 5)).astype(np.float32)
    found = nearest_items(rows, 4)
    for item in range(0, 1100, 53):
        squared = np.square(rows.astype(np.float64) - rows[item]).sum(axis=1)
        squared[item] = np.inf
        assert found[item].tolist() == np.argsort(squared)[:4].tolist()
