"""Batches: every row once, classes in equal parts, the same for the same epoch."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.training.batch_order import class_balanced_batches, epoch_generator, shuffled_batches


@given(st.integers(1, 100), st.integers(1, 30), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_shuffled_batches_hold_every_row_once_but_for_the_rest(num_items: int, batch_size: int, seed: int) -> None:
    batches = list(shuffled_batches(num_items, batch_size, np.random.default_rng(seed)))
    rows = np.concatenate(batches)
    assert len(np.unique(rows)) == len(rows)
    assert len(rows) == (num_items if num_items <= batch_size else num_items // batch_size * batch_size)
    assert set(rows.tolist()) <= set(range(num_items))


@given(st.integers(2, 6), st.integers(2, 40), st.integers(2, 8), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_balanced_batches_hold_classes_in_equal_parts(
    num_classes: int, batch_size: int, classes_per_batch: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    classes = np.concatenate([np.arange(num_classes), rng.integers(0, num_classes, 60)]).astype(np.int64)
    batches = list(class_balanced_batches(classes, batch_size, classes_per_batch, rng))
    assert len(batches) == max(1, len(classes) // batch_size)
    for batch in batches:
        counts = np.unique(classes[batch], return_counts=True)[1]
        assert len(counts) == min(classes_per_batch, num_classes)
        assert len(set(counts.tolist())) == 1


def test_a_class_that_is_large_enough_gives_no_row_twice() -> None:
    classes = np.repeat(np.arange(3), 50).astype(np.int64)
    for batch in class_balanced_batches(classes, 30, 3, np.random.default_rng(0)):
        assert len(np.unique(batch)) == 30


def test_an_epoch_draws_alike_whatever_ran_before() -> None:
    first = epoch_generator(5, 2).integers(0, 1000, 5)
    assert (epoch_generator(5, 2).integers(0, 1000, 5) == first).all()
    assert (epoch_generator(5, 3).integers(0, 1000, 5) != first).any()
    assert (epoch_generator(6, 2).integers(0, 1000, 5) != first).any()
