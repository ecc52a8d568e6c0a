"""Steps on codebooks: errors never rise, and no word stays unused."""

import itertools

import numpy as np

from operators.quantization.codebook_update import refined_codebooks
from operators.quantization.product_codebooks import ProductCodebooks


def _rows(num_rows: int = 1500, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num_rows, 6)).astype(np.float32)


def _books(seed: int = 1) -> ProductCodebooks:
    rng = np.random.default_rng(seed)
    return ProductCodebooks(tuple(rng.standard_normal((256, 3)).astype(np.float32) for _ in range(2)))


def _error(books: ProductCodebooks, codes: np.ndarray) -> float:
    return float(np.square(_rows() - books.reconstruct(codes)).sum(axis=1).mean(dtype=np.float64))


def test_the_error_never_rises_and_codes_are_the_nearest_words() -> None:
    books, codes = _books(), _books().assign(_rows())
    errors = [_error(books, codes)]
    for _ in range(8):
        books, codes = refined_codebooks(books, _rows(), codes, num_iterations=1)
        errors.append(_error(books, codes))
        np.testing.assert_array_equal(codes, books.assign(_rows()))
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < 0.7 * errors[0]


def test_words_are_the_means_of_the_rows_that_had_them() -> None:
    codes = _books().assign(_rows())
    books, _ = refined_codebooks(_books(), _rows(), codes, num_iterations=1)
    for word in np.unique(codes[:, 0]):
        np.testing.assert_allclose(books.words[0][word], _rows()[codes[:, 0] == word, :3].mean(axis=0), atol=1e-5)


def test_words_without_rows_are_used_again() -> None:
    far = ProductCodebooks(tuple(np.where(np.arange(256)[:, None] < 9, words, 99) for words in _books().words))
    codes = far.assign(_rows())
    assert len(np.unique(codes[:, 0])) <= 9
    _, codes = refined_codebooks(far, _rows(), codes, num_iterations=1)
    assert [len(np.unique(codes[:, number])) for number in range(2)] == [256, 256]


def test_fewer_rows_than_words_leave_the_rest_where_they_were() -> None:
    rows = _rows(20)
    books, codes = refined_codebooks(_books(), rows, _books().assign(rows), num_iterations=5)
    np.testing.assert_allclose(books.reconstruct(codes), rows, atol=1e-6)
