"""SPDAQ's database side: collapsed sums against plain loops, updates against brute force, an objective that falls."""

import itertools

import numpy as np
import pytest

from operators.hashers.database_fit import (
    FitWeights,
    LabelPatterns,
    SampledSide,
    fit_codebooks,
    fit_codes,
    free_vectors,
    objective,
)
from operators.quantization.composite_codebooks import CompositeCodebooks

_WIDTH, _BOOKS, _ITEMS = 4, 2, 60


def _case(
    seed: int, *, several_labels: bool = False
) -> tuple[CompositeCodebooks, np.ndarray, SampledSide, LabelPatterns]:
    rng = np.random.default_rng(seed)
    books = CompositeCodebooks(rng.standard_normal((_BOOKS, 256, _WIDTH)).astype(np.float32))
    codes = rng.integers(0, 256, (_ITEMS, _BOOKS)).astype(np.uint8)
    labels = np.eye(4, dtype=np.float32)[rng.integers(0, 4, _ITEMS)]
    if several_labels:
        labels = np.maximum(labels, (rng.random((_ITEMS, 4)) < 0.3).astype(np.float32))
    items = np.sort(rng.choice(_ITEMS, 20, replace=False)).astype(np.int64)
    sampled = SampledSide(items=items, vectors=rng.standard_normal((20, _WIDTH)))
    return books, codes, sampled, LabelPatterns.of(labels)


def _weights(tie: float = 7.0) -> FitWeights:
    return FitWeights(similarity=1.5, tie=tie, ridge=0.01)


def _by_loops(
    vectors: np.ndarray, words: np.ndarray, sampled: SampledSide, patterns: LabelPatterns, weights: FitWeights
) -> float:
    total = 0.0
    for item, output in zip(sampled.items, sampled.vectors, strict=True):
        for other in range(_ITEMS):
            wanted = patterns.similarity[patterns.of_item[item], patterns.of_item[other]]
            total += float(output @ vectors[other] - weights.similarity * wanted) ** 2
        total += weights.tie * float(((output - vectors[item]) ** 2).sum())
    return total + weights.ridge * float((words.astype(np.float64) ** 2).sum())


@pytest.mark.parametrize("several_labels", [False, True])
def test_the_collapsed_objective_is_that_of_plain_loops(several_labels: bool) -> None:
    books, codes, sampled, patterns = _case(0, several_labels=several_labels)
    expected = _by_loops(books.decode(codes).astype(np.float64), books.words, sampled, patterns, _weights())
    assert objective(books, codes, sampled, patterns, _weights()) == pytest.approx(expected)


def test_similar_and_dissimilar_pairs_weigh_the_same() -> None:
    _, _, _, patterns = _case(1)
    every = patterns.similarity[np.ix_(patterns.of_item, patterns.of_item)]
    assert every[every > 0].sum() == pytest.approx(-every[every < 0].sum())
    assert set(np.unique(every > 0)) == {False, True}


@pytest.mark.parametrize("tie", [0.0, 7.0])
def test_codebooks_are_the_optimum_for_their_codes(tie: float) -> None:
    books, codes, sampled, patterns = _case(2)
    found = fit_codebooks(books, codes, sampled, patterns, _weights(tie))
    least = objective(found, codes, sampled, patterns, _weights(tie))
    assert least < objective(books, codes, sampled, patterns, _weights(tie))
    rng = np.random.default_rng(0)
    for _ in range(20):
        step = rng.standard_normal(books.words.shape).astype(np.float32) * np.float32(0.01)
        nearby = CompositeCodebooks(found.words + step)
        assert objective(nearby, codes, sampled, patterns, _weights(tie)) >= least * (1 - 1e-6)


@pytest.mark.parametrize("tie", [0.0, 7.0])
def test_codes_get_better_and_a_single_codebook_gets_the_best(tie: float) -> None:
    books, codes, sampled, patterns = _case(3)
    before = objective(books, codes, sampled, patterns, _weights(tie))
    improved = fit_codes(books, codes, sampled, patterns, _weights(tie), num_sweeps=3)
    assert objective(books, improved, sampled, patterns, _weights(tie)) < before
    single = CompositeCodebooks(books.words[:1].copy())
    best = fit_codes(single, codes[:, :1], sampled, patterns, _weights(tie), num_sweeps=1)
    least = objective(single, best, sampled, patterns, _weights(tie))
    rng = np.random.default_rng(0)
    for item in rng.choice(_ITEMS, 8, replace=False):
        for word in range(0, 256, 5):
            other = best.copy()
            other[item, 0] = word
            assert objective(single, other, sampled, patterns, _weights(tie)) >= least - 1e-6


def test_the_objective_never_rises_over_alternating_updates() -> None:
    books, codes, sampled, patterns = _case(4)
    values = [objective(books, codes, sampled, patterns, _weights())]
    for _ in range(6):
        books = fit_codebooks(books, codes, sampled, patterns, _weights())
        values.append(objective(books, codes, sampled, patterns, _weights()))
        codes = fit_codes(books, codes, sampled, patterns, _weights(), num_sweeps=3)
        values.append(objective(books, codes, sampled, patterns, _weights()))
    assert all(later <= earlier * (1 + 1e-5) for earlier, later in itertools.pairwise(values))
    assert values[-1] < 0.5 * values[0]


def _free(
    sampled: SampledSide, patterns: LabelPatterns, weights: FitWeights, coded: np.ndarray, pull: float
) -> np.ndarray:
    return free_vectors(sampled, patterns, weights, coded=coded, pull=pull)


def test_free_vectors_are_a_bound_that_no_codes_pass() -> None:
    books, codes, sampled, patterns = _case(5)
    weights = FitWeights(similarity=1.5, tie=7.0, ridge=1e-9)
    nothing = np.zeros(1, np.float32)
    vectors = _free(sampled, patterns, weights, np.zeros((_ITEMS, _WIDTH)), 0.0)
    bound = _by_loops(vectors, nothing, sampled, patterns, weights)
    for _ in range(4):
        books = fit_codebooks(books, codes, sampled, patterns, weights)
        codes = fit_codes(books, codes, sampled, patterns, weights, num_sweeps=3)
    assert bound <= _by_loops(books.decode(codes).astype(np.float64), nothing, sampled, patterns, weights) + 1e-6


@pytest.mark.parametrize("pull", [0.0, 3.0])
def test_free_vectors_are_the_optimum_with_the_pull_to_their_codes(pull: float) -> None:
    books, codes, sampled, patterns = _case(9)
    weights, coded = _weights(), books.decode(codes).astype(np.float64)

    def value(vectors: np.ndarray) -> float:
        fit = _by_loops(vectors, vectors, sampled, patterns, weights)
        return fit + pull * float(np.square(vectors - coded).sum())

    vectors = _free(sampled, patterns, weights, coded, pull)
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert value(vectors + 0.01 * rng.standard_normal(vectors.shape)) > value(vectors)


def test_without_a_tie_a_class_gets_one_code() -> None:
    books, _, sampled, patterns = _case(6)
    start = np.zeros((_ITEMS, _BOOKS), np.uint8)
    codes = fit_codes(books, start, sampled, patterns, _weights(0.0), num_sweeps=3)
    assert len(np.unique(codes, axis=0)) <= patterns.num_patterns
