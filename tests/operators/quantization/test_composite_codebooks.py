"""Composite codes: updates against brute force, indicator matrices and a direct solver; unused words come to use."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import ShapeMismatch
from operators.quantization.composite_codebooks import (
    CompositeCodebooks,
    code_pair_counts,
    conjugate_gradients,
    icm_codes,
    least_squares_words,
    quadratic_gram,
    refill_unused,
    sums_by_word,
)

_WIDTH, _BOOKS, _ITEMS = 4, 2, 60


def _case(seed: int) -> tuple[CompositeCodebooks, np.ndarray]:
    rng = np.random.default_rng(seed)
    books = CompositeCodebooks(rng.standard_normal((_BOOKS, 256, _WIDTH)).astype(np.float32))
    return books, rng.integers(0, 256, (_ITEMS, _BOOKS)).astype(np.uint8)


def _indicators(codes: np.ndarray) -> np.ndarray:
    matrix = np.zeros((_BOOKS * 256, len(codes)))
    for item, code in enumerate(codes.tolist()):
        for book, word in enumerate(code):
            matrix[book * 256 + word, item] = 1
    return matrix


def _squared_errors(books: CompositeCodebooks, rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
    return np.asarray(np.square(rows - books.decode(codes).astype(np.float64)).sum(axis=1))


def test_decode_adds_one_word_of_each_codebook() -> None:
    books, codes = _case(0)
    flat = books.words.reshape(-1, _WIDTH)
    np.testing.assert_allclose(books.decode(codes), (_indicators(codes).T @ flat), rtol=1e-5, atol=1e-6)


def test_counts_and_sums_are_those_of_the_indicator_matrix() -> None:
    _, codes = _case(7)
    indicators = _indicators(codes)
    rows = np.random.default_rng(0).standard_normal((_ITEMS, 3))
    np.testing.assert_array_equal(code_pair_counts(codes, _BOOKS), indicators @ indicators.T)
    np.testing.assert_allclose(sums_by_word(rows, codes), rows.T @ indicators.T)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 8), columns=st.integers(1, 4), seed=st.integers(0, 1000))
def test_conjugate_gradients_solve_what_a_direct_solver_does(size: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((size, size))
    system = root @ root.T + np.eye(size)
    target = rng.standard_normal((size, columns))
    found = conjugate_gradients(lambda x: system @ x, target, rng.standard_normal((size, columns)), num_steps=60)
    np.testing.assert_allclose(found, np.linalg.solve(system, target), atol=1e-7)


def test_words_by_least_squares_are_those_of_a_direct_solver() -> None:
    books, codes = _case(1)
    codes = (codes % 5).astype(np.uint8)
    rows = np.random.default_rng(2).standard_normal((_ITEMS, _WIDTH))
    indicators, ridge = _indicators(codes), 0.1
    direct = np.linalg.solve(indicators @ indicators.T + ridge * np.eye(_BOOKS * 256), indicators @ rows)
    found = least_squares_words(books, rows, codes, ridge=ridge)
    np.testing.assert_allclose(found.words.reshape(-1, _WIDTH), direct, atol=1e-5)


def _random_form(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((_WIDTH, _WIDTH))
    return root @ root.T, rng.standard_normal((_ITEMS, _WIDTH))


def _values(books: CompositeCodebooks, codes: np.ndarray, quadratic: np.ndarray, linear: np.ndarray) -> np.ndarray:
    sums = books.decode(codes).astype(np.float64)
    return np.asarray(np.einsum("ij,jk,ik->i", sums, quadratic, sums) - 2 * (linear * sums).sum(axis=1))


def test_icm_never_raises_its_objective() -> None:
    books, codes = _case(8)
    quadratic, linear = _random_form(1)
    inner = (linear @ books.words.reshape(-1, _WIDTH).T.astype(np.float64)).reshape(-1, _BOOKS, 256)
    gram = quadratic_gram(books.words, quadratic)
    values = [_values(books, codes, quadratic, linear)]
    for _ in range(3):
        codes = icm_codes(gram, inner, np.arange(_ITEMS), codes, num_sweeps=1)
        values.append(_values(books, codes, quadratic, linear))
    assert all((later <= earlier + 1e-5).all() for earlier, later in itertools.pairwise(values))
    assert (values[-1] < values[0] - 0.1).any()


def test_icm_ends_where_no_single_word_is_better() -> None:
    books, codes = _case(9)
    quadratic, linear = _random_form(2)
    inner = (linear @ books.words.reshape(-1, _WIDTH).T.astype(np.float64)).reshape(-1, _BOOKS, 256)
    codes = icm_codes(quadratic_gram(books.words, quadratic), inner, np.arange(_ITEMS), codes, num_sweeps=50)
    least = _values(books, codes, quadratic, linear)
    for book, word in itertools.product(range(_BOOKS), range(256)):
        other = codes.copy()
        other[:, book] = word
        assert (_values(books, other, quadratic, linear) >= least - 1e-4).all()


def test_encode_finds_near_sums_and_keeps_known_codes_that_are_nearer() -> None:
    books, codes = _case(3)
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((_ITEMS, _WIDTH)).astype(np.float32)
    errors = _squared_errors(books, rows, books.encode(rows))
    assert errors.mean() < 0.1 * _squared_errors(books, rows, codes).mean()
    sums = books.decode(codes)
    assert _squared_errors(books, sums, books.encode(sums)).max() > 1e-3
    np.testing.assert_array_equal(books.encode(sums, known=codes), codes)


def test_unused_words_are_refilled_so_that_rows_can_be_met_exactly() -> None:
    books, codes = _case(5)
    codes = (codes % 3).astype(np.uint8)
    rng = np.random.default_rng(6)
    rows, own = rng.standard_normal((20, _WIDTH)).astype(np.float32), codes[:20]
    zeroed = least_squares_words(books, rng.standard_normal((_ITEMS, _WIDTH)), codes, ridge=0.1)
    np.testing.assert_allclose(zeroed.words[:, 3:], 0, atol=1e-7)
    refilled = refill_unused(zeroed, codes, rows, own, rng)
    np.testing.assert_array_equal(refilled.decode(codes), zeroed.decode(codes))
    for book in range(_BOOKS):
        for word in range(3, 23):
            met = own.copy()
            met[:, book] = word
            assert np.isclose(refilled.decode(met), rows, atol=1e-5).all(axis=1).any()
        np.testing.assert_array_equal(refilled.words[book, 23:], zeroed.words[book, 23:])


@pytest.mark.parametrize("shape", [(1, 255, 4), (256, 4)])
def test_words_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeMismatch, match="composite words"):
        CompositeCodebooks(np.zeros(shape, np.float32))
