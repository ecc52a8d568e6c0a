"""DSH: the scale of its loss is the authors', every pair counts alike, and classes get codes of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from operators.hashers.deep_supervised_hashing import BalancedSupervisedHashing, DeepSupervisedHashing
from operators.training.pair_losses import similar_pairs


def _hasher(kind: type[DeepSupervisedHashing], **settings: object) -> DeepSupervisedHashing:
    return kind(num_bits=4, seed=0, network="mlp", **settings)


def _gradient(hasher: DeepSupervisedHashing, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    given = torch.tensor(outputs, requires_grad=True)
    hasher.loss(given, similar_pairs(torch.from_numpy(labels)))["loss"].backward()  # type: ignore[no-untyped-call]
    assert given.grad is not None
    return given.grad.numpy()


def test_the_gradient_is_twice_that_of_the_authors_layer() -> None:
    """Their layer gives (b_i - b_j) / (n (n - 1)) per pair and alpha / n per entry: half the mean over pairs."""
    rng = np.random.default_rng(0)
    outputs, labels, count = rng.standard_normal((6, 4)), np.array([0, 0, 1, 1, 2, 0]), 6
    expected = 0.3 / count * np.where((outputs >= 1) | ((outputs <= 0) & (outputs >= -1)), 1.0, -1.0)
    for i in range(count):
        for j in range(i + 1, count):
            difference = (outputs[i] - outputs[j]) / (count * (count - 1))
            inside = float(((outputs[i] - outputs[j]) ** 2).sum()) < 8
            sign = 1.0 if labels[i] == labels[j] else -float(inside)
            expected[i] += sign * difference
            expected[j] -= sign * difference
    for kind in (DeepSupervisedHashing, BalancedSupervisedHashing):
        np.testing.assert_allclose(_gradient(_hasher(kind, alpha=0.3), outputs, labels), 2 * expected, atol=1e-12)


def test_balanced_pairs_weigh_both_kinds_alike() -> None:
    outputs = np.random.default_rng(1).standard_normal((5, 4))
    labels = np.array([0, 0, 1, 2, 3])
    parts = similar_pairs(torch.from_numpy(labels))
    losses = _hasher(BalancedSupervisedHashing, balance_pairs=True).loss(torch.from_numpy(outputs), parts)
    distances = ((outputs[:, None] - outputs[None]) ** 2).sum(axis=2)
    others = [(i, j) for i in range(5) for j in range(i + 1, 5) if (i, j) != (0, 1)]
    repel = np.mean([max(8 - distances[pair], 0) / 2 for pair in others])
    assert float(losses["pairs"]) == pytest.approx((distances[0, 1] / 2 + repel) / 2)


def test_biases_learn_twice_as_fast_and_do_not_decay() -> None:
    hasher = _hasher(DeepSupervisedHashing)
    weights, biases = hasher.optimizer(hasher.new_network(6)).param_groups
    assert (weights["weight_decay"], weights.get("rate_factor", 1.0), weights["momentum"]) == (0.004, 1.0, 0.9)
    assert (biases["weight_decay"], biases["rate_factor"]) == (0.0, 2.0)
    assert {p.ndim for p in weights["params"]} == {2}
    assert {p.ndim for p in biases["params"]} == {1}


@pytest.mark.parametrize("several_labels", [False, True])
def test_items_of_a_class_come_closer_than_others(several_labels: bool) -> None:
    rng = np.random.default_rng(2)
    classes = rng.integers(0, 4, 240)
    features = (rng.standard_normal((4, 12))[classes] + 0.3 * rng.standard_normal((240, 12))).astype(np.float32)
    labels = np.eye(4, dtype=np.int64)[classes] if several_labels else classes.astype(np.int64)
    hasher = BalancedSupervisedHashing(num_bits=12, seed=0, network="mlp", num_epochs=12, batch_size=40)
    hasher.fit(features, labels)
    bits = hasher.encode(features).to_bits().astype(int)
    distances = (bits[:, None] != bits[None]).sum(axis=2)
    same = classes[:, None] == classes[None]
    assert distances[same].mean() < 1
    assert distances[~same].mean() > 4


def test_augmented_pictures_change_what_is_learned() -> None:
    rng = np.random.default_rng(3)
    features, labels = rng.random((40, 256), np.float32), np.repeat([0, 1], 20).astype(np.int64)
    learned = []
    for augment in (False, True):
        hasher = BalancedSupervisedHashing(num_bits=4, seed=0, num_epochs=1, batch_size=20, augment=augment)
        hasher.fit(features, labels)
        learned.append(hasher.tensors()["network.output.weight"])
    assert (learned[0] != learned[1]).any()
