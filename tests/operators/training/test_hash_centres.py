"""Centres far apart, rates that rise and fall, pictures that move."""

import itertools

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting, ShapeMismatch
from operators.hashers.orthogonal_centre_hashing import centre_loss
from operators.training.class_labels import label_matrix, require_labels
from operators.training.hash_centres import hash_centres, largest_imbalance, smallest_distance
from operators.training.learning_rate import cosine_rate


@pytest.mark.parametrize(("num_classes", "num_bits", "at_least"), [(10, 16, 8), (32, 16, 8), (2, 1, 1), (64, 64, 32)])
def test_hadamard_rows_differ_in_half_of_the_bits(num_classes: int, num_bits: int, at_least: int) -> None:
    centres = hash_centres(num_classes, num_bits, seed=0)
    assert centres.shape == (num_classes, num_bits)
    assert set(np.unique(centres)) <= {-1.0, 1.0}
    assert smallest_distance(centres) >= at_least


@pytest.mark.parametrize("num_classes", [3, 7, 10, 16, 24])
@pytest.mark.parametrize("num_bits", [12, 16, 64])
def test_hardly_a_bit_is_the_same_for_all_classes(num_classes: int, num_bits: int) -> None:
    centres = hash_centres(num_classes, num_bits, seed=3)
    by_loops = max(abs(sum(int(row[bit]) for row in centres)) for bit in range(num_bits))
    assert largest_imbalance(centres) == by_loops
    assert np.count_nonzero(np.ptp(centres, axis=0) == 0) <= (num_bits // 4 if num_classes == 3 else 0)


@pytest.mark.parametrize(("num_classes", "num_bits", "at_least"), [(10, 12, 3), (10, 48, 18)])
def test_drawn_centres_are_apart_and_follow_the_seed(num_classes: int, num_bits: int, at_least: int) -> None:
    centres = hash_centres(num_classes, num_bits, seed=1)
    by_loops = min((a != b).sum() for i, a in enumerate(centres) for b in centres[:i])
    assert smallest_distance(centres) == by_loops >= at_least
    np.testing.assert_array_equal(centres, hash_centres(num_classes, num_bits, seed=1))
    assert (centres != hash_centres(num_classes, num_bits, seed=2)).any()


def test_the_centre_loss_is_that_of_plain_loops() -> None:
    rng = np.random.default_rng(0)
    outputs, centres = rng.standard_normal((5, 8)), hash_centres(4, 8, 0).astype(np.float64)
    labels = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 1, 0]], np.float64)
    total = 0.0
    for output, own in zip(outputs, labels, strict=True):
        cosines = [output @ c / np.linalg.norm(output) / np.linalg.norm(c) for c in centres]
        logits = [8 * (cosine - 0.2 * mine) for cosine, mine in zip(cosines, own, strict=True)]
        log_total = np.log(sum(np.exp(logit) for logit in logits))
        total -= sum(mine / own.sum() * (logit - log_total) for mine, logit in zip(own, logits, strict=True))
    tensors = (torch.from_numpy(a) for a in (outputs, centres, labels))
    assert float(centre_loss(*tensors, scale=8, margin=0.2)) == pytest.approx(total / 5)


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [cosine_rate(progress / 100) for progress in range(101)]
    assert rates[10] == pytest.approx(1)
    assert all(a < b for a, b in itertools.pairwise(rates[:11]))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[100] == pytest.approx(0)
    assert rates[0] > 0


def test_labels() -> None:
    classes = np.array([5, 2, 5], np.int64)
    assert require_labels("m", classes, 3) is classes
    np.testing.assert_array_equal(label_matrix(classes), [[0, 1], [1, 0], [0, 1]])
    many = np.array([[1, 0], [1, 1], [0, 0]], np.int64)
    np.testing.assert_array_equal(label_matrix(require_labels("m", many, 3)), many)


@pytest.mark.parametrize(
    ("labels", "error", "expected"),
    [
        (None, InvalidSetting, "a label for every item"),
        (np.zeros(3, np.int64), InvalidSetting, "at least 2 classes"),
        (np.zeros(2, np.int64), ShapeMismatch, r"int64 \(3,\)"),
        (np.zeros(3), ShapeMismatch, "float64"),
        (np.full((3, 2), 2, np.int64), ShapeMismatch, "0 and 1"),
    ],
)
def test_labels_that_do_not_fit(labels: np.ndarray | None, error: type[Exception], expected: str) -> None:
    with pytest.raises(error, match=expected):
        require_labels("m", labels, 3)
