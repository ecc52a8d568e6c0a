"""The slice held out of the sample, and the values measured on it, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import create_hasher
from operators.hashers.quantizer import Quantizer
from pipeline.training.validation_slice import SampleSplit, ValidationSlice, split_sample
from tests.pipeline.training.training_examples import labelled_sample

SAMPLE = labelled_sample(320)
LABELS = SAMPLE.class_numbers()


@given(st.integers(0, 300), st.floats(0, 0.5), st.integers(0, 2**32), st.integers(1, 40))
def test_both_sides_make_up_the_sample(num_items: int, share: float, seed: int, num_classes: int) -> None:
    labels = np.random.default_rng(seed).integers(0, num_classes, num_items)
    for given_labels in (None, labels):
        split = split_sample(num_items, given_labels, share=share, seed=seed)
        np.testing.assert_array_equal(np.sort(np.concatenate([split.training, split.validation])), np.arange(num_items))
        assert (np.diff(split.training) > 0).all()
        assert len(split.validation) <= num_items * share
        if given_labels is not None:
            assert set(labels[split.training]) == set(labels)


def test_the_share_is_drawn_with_the_seed() -> None:
    first, again = (split_sample(200, None, share=0.1, seed=1).validation for _ in range(2))
    other = split_sample(200, None, share=0.1, seed=2).validation
    assert len(first) == len(other) == 20
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    assert len(split_sample(200, None, share=0, seed=1).validation) == 0


def _fitted(method: str) -> Hasher:
    hasher = create_hasher(method, num_bits=8, seed=0)
    hasher.fit(SAMPLE.features, LABELS)
    return hasher


@pytest.mark.parametrize("method", ["lsh", "pq"])
@pytest.mark.parametrize("labels", [LABELS, None], ids=["labels", "no labels"])
def test_value_against_plain_loops(method: str, labels: np.ndarray | None) -> None:
    """Distances are made unequal by the oracle's own tie rule: any order of tied rows must give a value in between."""
    hasher, split = _fitted(method), split_sample(320, LABELS, share=0.1, seed=3)
    measured = ValidationSlice(SAMPLE.features, labels, split, seed=3).measure(hasher)
    low, high = (_plain_value(hasher, split, labels, sign) for sign in (1, -1))
    assert measured.metric == ("neighbours_at_10" if labels is None else "map_at_10")
    assert measured.value is not None
    assert low - 1e-9 <= measured.value <= high + 1e-9
    assert measured.health.num_items == 320


def _plain_value(hasher: Hasher, split: SampleSplit, labels: np.ndarray | None, sign: int) -> float:
    """The value when, among equal distances, what is relevant comes last (`sign` 1) or first (-1)."""
    queries, database = SAMPLE.features[split.validation], SAMPLE.features[split.training]
    values = []
    for number, query in enumerate(queries):
        nearest = np.argsort(((database - query) ** 2).sum(axis=1))[:10]
        relevant = np.isin(np.arange(len(database)), nearest)
        if labels is not None:
            relevant = labels[split.training] == labels[split.validation[number]]
        distances = _distances(hasher, query, database)
        order = sorted(range(len(database)), key=lambda row: (distances[row], sign * relevant[row]))[:10]
        hits = [bool(relevant[row]) for row in order]
        if labels is None:
            values.append(sum(hits) / 10)
        else:
            precisions = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(10) if hits[rank]]
            values.append(sum(precisions) / max(1, len(precisions)))
    return float(np.mean(values))


def _distances(hasher: Hasher, query: np.ndarray, database: np.ndarray) -> list[float]:
    codes = hasher.encode(database)
    if isinstance(hasher, Quantizer):
        table = hasher.lookup_tables(query[np.newaxis]).values[0]
        return [float(sum(table[m, word] for m, word in enumerate(code))) for code in codes.packed]
    own = hasher.encode(query[np.newaxis]).to_bits()[0]
    return [float((bits != own).sum()) for bits in codes.to_bits()]


def test_without_a_slice_only_the_codes_are_looked_at() -> None:
    split = split_sample(320, LABELS, share=0, seed=0)
    measured = ValidationSlice(SAMPLE.features, LABELS, split, seed=0).measure(_fitted("lsh"))
    assert (measured.metric, measured.value) == (None, None)
    assert measured.health.num_distinct_codes > 4


def test_large_samples_are_capped() -> None:
    features = np.random.default_rng(0).random((14_000, 3), dtype=np.float32)
    split = split_sample(len(features), None, share=0.5, seed=0)
    hasher = create_hasher("lsh", num_bits=8, seed=0)
    hasher.fit(features)
    assert ValidationSlice(features, None, split, seed=0).measure(hasher).health.num_items == 6000
