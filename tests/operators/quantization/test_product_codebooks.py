"""Product codebooks against plain loops over sub-spaces and words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import InvalidSetting, ShapeMismatch
from operators.quantization.product_codebooks import ProductCodebooks, subspace_bounds


def _books(num_codebooks: int, num_dims: int, seed: int = 0) -> ProductCodebooks:
    rng = np.random.default_rng(seed)
    widths = np.diff(subspace_bounds(num_dims, num_codebooks))
    return ProductCodebooks(tuple(rng.standard_normal((256, width)).astype(np.float32) for width in widths))


def _rows(num_rows: int, num_dims: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num_rows, num_dims)).astype(np.float32)


@given(st.integers(1, 5), st.integers(0, 9), st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_tables_and_codes_are_those_of_plain_loops(num_codebooks: int, extra_dims: int, seed: int) -> None:
    num_dims = num_codebooks + extra_dims
    books, rows = _books(num_codebooks, num_dims, seed), _rows(4, num_dims, seed)
    bounds = subspace_bounds(num_dims, num_codebooks)
    codes, tables = books.assign(rows), books.distance_tables(rows).values
    for item, row in enumerate(rows):
        for number, words in enumerate(books.words):
            part = row[bounds[number] : bounds[number + 1]].astype(np.float64)
            expected = [float(((part - word) ** 2).sum()) for word in words]
            np.testing.assert_allclose(tables[item, number], expected, rtol=1e-5, atol=1e-6)
            assert expected[codes[item, number]] == pytest.approx(min(expected), abs=1e-5)
    summed = sum(tables[:, number][np.arange(4), codes[:, number]] for number in range(num_codebooks))
    np.testing.assert_allclose(summed, np.square(rows - books.reconstruct(codes)).sum(axis=1), rtol=1e-4, atol=1e-5)


def test_an_array_of_words_and_back() -> None:
    books = _books(3, 11)
    again = ProductCodebooks.from_array(books.to_array(), 11)
    for words, same in zip(books.words, again.words, strict=True):
        np.testing.assert_array_equal(words, same)


def test_words_move_to_the_mean_of_their_rows() -> None:
    rows = _rows(500, 6)
    books = ProductCodebooks.fit(rows, num_codebooks=2, num_iterations=1, seed=0)
    codes = books.assign(rows)
    moved = books.with_means(rows, codes)
    for word in np.unique(codes[:, 1]):
        np.testing.assert_allclose(moved.words[1][word], rows[codes[:, 1] == word, 3:].mean(axis=0), atol=1e-5)
    assert np.square(rows - moved.reconstruct(codes)).sum() <= np.square(rows - books.reconstruct(codes)).sum()


def test_fewer_items_than_words_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="255 items: expected at least 256"):
        ProductCodebooks.fit(_rows(255, 4), num_codebooks=2, num_iterations=1, seed=0)


def test_more_codebooks_than_dimensions_are_refused() -> None:
    with pytest.raises(InvalidSetting, match="num_bits = 40: expected at most 32"):
        subspace_bounds(4, 5)


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match=r"expected \(num_items, 6\)"):
        _books(2, 6).assign(_rows(3, 7))
