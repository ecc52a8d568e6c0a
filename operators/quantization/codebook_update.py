"""Lloyd steps on product codebooks that exist: words follow rows that have moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.quantization.lookup_tables import NUM_CODEWORDS
from operators.quantization.product_codebooks import ProductCodebooks


def refined_codebooks(
    books: ProductCodebooks, rows: NDArray[np.float32], codes: NDArray[np.uint8], *, num_iterations: int
) -> tuple[ProductCodebooks, NDArray[np.uint8]]:
    """Words to the means of their rows, then codes to the nearest words, `num_iterations` times; the quantization
    error never rises. A word that no row has moves to the row worst coded in its sub-space, so that none is wasted.

    `rows` float32 `(num_items, num_dims)`, `codes` uint8 `(num_items, num_codebooks)`. Raises `ShapeMismatch`.
    """
    for _ in range(num_iterations):
        books = _with_unused_words_moved(books.with_means(rows, codes), rows, codes)
        codes = books.assign(rows)
    return books, codes


def _with_unused_words_moved(
    books: ProductCodebooks, rows: NDArray[np.float32], codes: NDArray[np.uint8]
) -> ProductCodebooks:
    moved = []
    for number, (part, words) in enumerate(zip(books.split(rows), books.words, strict=True)):
        unused = np.flatnonzero(np.bincount(codes[:, number], minlength=NUM_CODEWORDS) == 0)
        errors = np.square(part - words[codes[:, number]]).sum(axis=1)
        worst = np.argsort(-errors, kind="stable")[: len(unused)]
        chosen = words.copy()
        chosen[unused[: len(worst)]] = part[worst]
        moved.append(chosen)
    return ProductCodebooks(tuple(moved))
