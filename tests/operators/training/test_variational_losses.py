"""DVB's losses against plain loops, sampling and identities."""

import numpy as np
import pytest
import torch

from operators.training.variational_losses import (
    batch_affinity,
    decorrelation_loss,
    gaussian_divergence,
    manifold_loss,
    quantization_loss,
)


def _codes(num_items: int = 7, num_bits: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.tanh(np.random.default_rng(seed).standard_normal((num_items, num_bits))))


def test_the_divergence_is_what_sampling_finds() -> None:
    rng = np.random.default_rng(0)
    mean_q, mean_p = rng.standard_normal((2, 3)), rng.standard_normal((2, 3))
    var_q, var_p = rng.uniform(0.3, 1.5, (2, 3)), rng.uniform(0.3, 1.5, (2, 3))
    draws = mean_q + np.sqrt(var_q) * rng.standard_normal((200_000, 2, 3))
    log_q = -((draws - mean_q) ** 2) / (2 * var_q) - np.log(var_q) / 2
    log_p = -((draws - mean_p) ** 2) / (2 * var_p) - np.log(var_p) / 2
    sampled = (log_q - log_p).sum(axis=2).mean()
    posterior = torch.from_numpy(mean_q), torch.from_numpy(var_q)
    prior = torch.from_numpy(mean_p), torch.from_numpy(var_p)
    assert float(gaussian_divergence(posterior, prior)) == pytest.approx(sampled, rel=0.02)
    assert float(gaussian_divergence(prior, prior)) == pytest.approx(0)


def test_quantization_and_decorrelation_are_those_of_plain_loops() -> None:
    codes = _codes()
    values = codes.numpy()
    expected = np.mean([(value - (1 if value >= 0 else -1)) ** 2 for value in values.flat])
    assert float(quantization_loss(codes)) == pytest.approx(expected)
    total = 0.0
    for i in range(5):
        for j in range(5):
            inner = sum(values[item, i] * values[item, j] for item in range(7)) / 7
            total += (inner - (i == j)) ** 2
    assert float(decorrelation_loss(codes)) == pytest.approx(total / 25, rel=1e-6)


def test_balanced_uncorrelated_signs_have_no_decorrelation_loss() -> None:
    codes = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert float(decorrelation_loss(codes)) == 0


def test_the_manifold_loss_is_half_the_weighted_sum_of_distances() -> None:
    codes = _codes()
    root = np.random.default_rng(1).random((7, 7)) - 0.3
    affinity = torch.tensor((root + root.T) * (1 - np.eye(7)))
    values, weights = codes.numpy(), affinity.numpy()
    total = sum(weights[i, j] * ((values[i] - values[j]) ** 2).sum() for i in range(7) for j in range(7)) / 2
    assert float(manifold_loss(codes, affinity)) == pytest.approx(total / np.abs(weights).sum() / 5)


def test_descending_the_manifold_loss_draws_neighbours_together() -> None:
    rows = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    affinity = batch_affinity(rows, num_neighbors=1, temperature=1.0)
    codes = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]], requires_grad=True)
    manifold_loss(codes, affinity).backward()  # type: ignore[no-untyped-call]
    assert codes.grad is not None
    assert torch.sign(-codes.grad).flatten().tolist() == [-1.0, 1.0, -1.0, 1.0]


def test_affinities_are_symmetric_without_loops_and_by_neighbours() -> None:
    rows = torch.tensor(np.random.default_rng(2).standard_normal((9, 3)), dtype=torch.float32)
    affinity = batch_affinity(rows, num_neighbors=2, temperature=1.0).numpy()
    squared = np.square(rows.numpy()[:, None] - rows.numpy()[None]).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    nearest = [set(np.argsort(row)[:2].tolist()) for row in squared]
    for i in range(9):
        for j in range(9):
            assert affinity[i, j] == float(j in nearest[i] or i in nearest[j])
    gaussian = batch_affinity(rows, num_neighbors=None, temperature=0.7).numpy()
    np.testing.assert_allclose(gaussian, np.exp(-squared / 0.7), rtol=1e-4, atol=1e-7)


def test_the_printed_temperature_makes_the_affinity_vanish() -> None:
    """t = 1e-3 on rows of length 1: nothing is near anything, and H3 has no effect."""
    rows = torch.nn.functional.normalize(torch.randn(64, 50, generator=torch.Generator().manual_seed(0)), dim=1)
    assert float(batch_affinity(rows, num_neighbors=None, temperature=1e-3).sum()) == 0
    assert float(manifold_loss(_codes(64), batch_affinity(rows, num_neighbors=None, temperature=1e-3).double())) == 0


@pytest.mark.parametrize("loss", [quantization_loss, decorrelation_loss])
def test_gradients_against_finite_differences(loss: object) -> None:
    assert callable(loss)
    assert torch.autograd.gradcheck(loss, (_codes().requires_grad_(),))
