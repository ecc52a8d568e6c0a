"""Which rows make up the batches of an epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The randomness of one epoch, the same whether the epochs before it ran in this process or not."""
    return np.random.default_rng([seed, epoch])


def shuffled_batches(num_items: int, batch_size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Every row once, in random order; a last batch that is not full is left out, unless it is the only one."""
    order = rng.permutation(num_items)
    if num_items <= batch_size:
        yield order
        return
    for start in range(0, num_items - batch_size + 1, batch_size):
        yield order[start : start + batch_size]


def class_balanced_batches(
    classes: NDArray[np.int64], batch_size: int, classes_per_batch: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """`len(classes) // batch_size` batches (at least one), each of `classes_per_batch` random classes with
    `batch_size // classes_per_batch` random rows of each (with repetition only where a class is smaller).

    As the online pair generation of DSH (Liu et al., CVPR 2016): every batch holds similar pairs of every class in it.
    """
    members = [np.flatnonzero(classes == label) for label in np.unique(classes)]
    num_classes = min(classes_per_batch, len(members))
    per_class = max(1, batch_size // num_classes)
    for _ in range(max(1, len(classes) // batch_size)):
        chosen = rng.permutation(len(members))[:num_classes]
        parts = [rng.choice(members[label], per_class, replace=len(members[label]) < per_class) for label in chosen]
        yield rng.permutation(np.concatenate(parts))
