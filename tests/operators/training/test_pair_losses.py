"""DSH's loss against plain loops over pairs, and its gradient against the published one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.training.pair_losses import binary_regulariser, contrastive_pair_loss, similar_pairs


def _outputs(num_items: int, seed: int) -> torch.Tensor:
    values = np.random.default_rng(seed).standard_normal((num_items, 6)) * 1.5
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@given(st.integers(2, 9), st.integers(0, 2**32), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_loss_is_that_of_plain_loops(num_items: int, seed: int, balanced: bool) -> None:
    outputs = _outputs(num_items, seed)
    labels = np.random.default_rng(seed).integers(0, 3, num_items)
    attract, repel = [], []
    rows = outputs.detach().numpy()
    for i in range(num_items):
        for j in range(i + 1, num_items):
            squared = float(((rows[i] - rows[j]) ** 2).sum())
            if labels[i] == labels[j]:
                attract.append(squared / 2)
            else:
                repel.append(max(12 - squared, 0) / 2)
    expected = np.mean([np.mean(part) for part in (attract, repel) if part]) if balanced else np.mean(attract + repel)
    similar = similar_pairs(torch.from_numpy(labels))
    loss = contrastive_pair_loss(outputs, similar, margin=12, balanced=balanced)
    assert float(loss.detach()) == pytest.approx(expected)


def test_the_gradient_of_a_pair_is_the_published_one() -> None:
    """Eq. 7: b1 - b2 for a similar pair, b2 - b1 for a dissimilar one inside the margin, nothing outside it."""
    first, second = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.2, 0.4, 1.0])
    near = first - second
    for labels, margin, expected in (([0, 0], 6.0, near), ([0, 1], 6.0, -near), ([0, 1], 1.0, torch.zeros(3))):
        outputs = torch.stack([first, second]).requires_grad_()
        contrastive_pair_loss(outputs, similar_pairs(torch.tensor(labels)), margin=margin).backward()  # type: ignore[no-untyped-call]
        assert outputs.grad is not None
        torch.testing.assert_close(outputs.grad[0], expected)
        torch.testing.assert_close(outputs.grad[1], -expected)


def test_the_regulariser_and_its_gradient() -> None:
    outputs = torch.tensor([[-2.0, -0.5, 0.5, 2.0], [1.0, -1.0, 3.0, 0.25]], requires_grad=True)
    value = binary_regulariser(outputs)
    assert float(value.detach()) == pytest.approx(((1 + 0.5 + 0.5 + 1) + (0 + 0 + 2 + 0.75)) / 2)
    value.backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    # Published: +1 where -1 <= b <= 0 or b >= 1, else -1.
    torch.testing.assert_close(2 * outputs.grad[0], torch.tensor([-1.0, 1.0, -1.0, 1.0]))


def test_gradients_against_finite_differences() -> None:
    similar = similar_pairs(torch.tensor([0, 1, 0, 2, 1]))

    def loss(outputs: torch.Tensor) -> torch.Tensor:
        return contrastive_pair_loss(outputs, similar, margin=12, balanced=True) + binary_regulariser(outputs)

    assert torch.autograd.gradcheck(loss, (_outputs(5, 3),))


def test_several_labels_share_one() -> None:
    labels = torch.tensor([[1, 0, 1], [0, 1, 1], [0, 1, 0]])
    assert similar_pairs(labels).tolist() == [[True, True, False], [True, True, True], [False, True, True]]
