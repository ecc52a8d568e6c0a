"""Composite codes: a vector as the sum of one word from each codebook (Zhang, Du and Wang, "Composite quantization for
approximate nearest neighbor search", ICML 2014)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.lookup_tables import NUM_CODEWORDS

_ROWS_PER_BLOCK = 4096
_CG_STEPS = 60


@dataclass(frozen=True, eq=False)
class CompositeCodebooks:
    """`words` float32 `(num_codebooks, 256, num_dims)`. Raises `ShapeMismatch` for another shape."""

    words: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.words.dtype != np.float32 or self.words.ndim != 3 or self.words.shape[1] != NUM_CODEWORDS:
            expected = f"float32 (num_codebooks, {NUM_CODEWORDS}, num_dims)"
            raise ShapeMismatch("composite words", f"{self.words.dtype} {self.words.shape}", expected)

    def inner_products(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of every row with every word, float64 `(num_items, 256 num_codebooks)`; exact, so the same in any batch."""
        return self._projection.project(rows)

    @cached_property
    def _projection(self) -> ExactProjection:
        num_dims = self.words.shape[2]
        return ExactProjection(np.zeros(num_dims, np.float32), np.ascontiguousarray(self.words.reshape(-1, num_dims).T))

    @cached_property
    def _gram(self) -> NDArray[np.float64]:
        return quadratic_gram(self.words, np.eye(self.words.shape[2]))

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Sums of words, float32 `(num_items, num_dims)`, added from codebook 0 on."""
        total = np.zeros((len(codes), self.words.shape[2]), np.float32)
        for number, words in enumerate(self.words):
            total += words[codes[:, number]]
        return total

    def encode(
        self, rows: NDArray[np.float32], *, num_sweeps: int = 3, known: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """Codes whose sums are near the rows: words picked one after another, then improved by ICM; where ICM from the
        `known` codes comes nearer, those. A row's code depends on that row (and its known code) alone."""
        codes = np.zeros((len(rows), len(self.words)), np.uint8)
        for start in range(0, len(rows), _ROWS_PER_BLOCK):
            block = slice(start, start + _ROWS_PER_BLOCK)
            inner = self.inner_products(rows[block]).reshape(-1, *self.words.shape[:2])
            each = np.arange(len(inner))
            found = icm_codes(self._gram, inner, each, _greedy_codes(self._gram, inner), num_sweeps=num_sweeps)
            if known is not None:
                other = icm_codes(self._gram, inner, each, known[block], num_sweeps=num_sweeps)
                nearer = self._squared_errors(rows[block], other) < self._squared_errors(rows[block], found)
                found[nearer] = other[nearer]
            codes[block] = found
        return codes

    def _squared_errors(self, rows: NDArray[np.float32], codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        errors: NDArray[np.float32] = np.square(rows - self.decode(codes)).sum(axis=1)
        return errors


def quadratic_gram(words: NDArray[np.float32], quadratic: NDArray[np.float64]) -> NDArray[np.float64]:
    """c^T Q c' for every two words, float64 `(num_codebooks, 256, num_codebooks, 256)`."""
    flat = words.reshape(-1, words.shape[2]).astype(np.float64)
    return (flat @ quadratic @ flat.T).reshape(*words.shape[:2], *words.shape[:2])


def icm_codes(
    gram: NDArray[np.float64],
    inner: NDArray[np.float64],
    patterns: NDArray[np.int64],
    codes: NDArray[np.uint8],
    *,
    num_sweeps: int,
) -> NDArray[np.uint8]:
    """Iterated conditional modes: codes that lower v^T Q v - 2 l^T v for v the sum of their words; it never rises.

    `gram` from `quadratic_gram`; `inner[p]` float64 `(num_codebooks, 256)` is l^T c of every word, for items of pattern
    p; `patterns` int64 `(num_items,)`. Starts from `codes` uint8 `(num_items, num_codebooks)`: one codebook at a time
    takes its best word, the others held; ties keep the lower number.
    """
    improved = codes.copy()
    own = np.stack([np.diagonal(gram[number, :, number]) for number in range(len(gram))])
    for start in range(0, len(codes), _ROWS_PER_BLOCK):
        block = improved[start : start + _ROWS_PER_BLOCK]
        linear = patterns[start : start + _ROWS_PER_BLOCK]
        for _ in range(num_sweeps):
            for number in range(len(gram)):
                scores = own[number] - 2 * inner[linear, number]
                for other in range(len(gram)):
                    if other != number:
                        scores += 2 * gram[other, :, number][block[:, other]]
                block[:, number] = scores.argmin(axis=1)
    return improved


def _greedy_codes(gram: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Words picked from codebook 0 on, each the best beside those before."""
    codes = np.zeros(inner.shape[:2], np.uint8)
    for number in range(len(gram)):
        scores = np.diagonal(gram[number, :, number]) - 2 * inner[:, number]
        for other in range(number):
            scores = scores + 2 * gram[other, :, number][codes[:, other]]
        codes[:, number] = scores.argmin(axis=1)
    return codes


def code_pair_counts(codes: NDArray[np.uint8], num_codebooks: int) -> NDArray[np.float64]:
    """B B^T without B: how often each two words occur in one code, float64 `(256 G, 256 G)`."""
    size = NUM_CODEWORDS
    counts = np.zeros((num_codebooks * size, num_codebooks * size))
    for first in range(num_codebooks):
        for second in range(num_codebooks):
            pairs = codes[:, first].astype(np.int64) * size + codes[:, second]
            block = np.bincount(pairs, minlength=size * size).reshape(size, size)
            counts[first * size : (first + 1) * size, second * size : (second + 1) * size] = block
    return counts


def sums_by_word(rows: NDArray[np.float64], codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """R B^T without B: the sum of the rows `(num_items, num_dims)` of every word, float64 `(num_dims, 256 G)`."""
    num_books = codes.shape[1]
    sums = np.zeros((num_books, NUM_CODEWORDS, rows.shape[1]))
    for number in range(num_books):
        for dim in range(rows.shape[1]):
            sums[number, :, dim] = np.bincount(codes[:, number], weights=rows[:, dim], minlength=NUM_CODEWORDS)
    return sums.reshape(-1, rows.shape[1]).T


def conjugate_gradients(
    apply: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    target: NDArray[np.float64],
    start: NDArray[np.float64],
    *,
    num_steps: int = _CG_STEPS,
) -> NDArray[np.float64]:
    """X with apply(X) near `target`, for a symmetric positive definite linear `apply` on matrices (Hestenes and
    Stiefel, 1952). Ends early at a residual of 1e-10 of the target's norm."""
    found = start.copy()
    residual = target - apply(found)
    direction = residual.copy()
    squared = float(np.vdot(residual, residual))
    enough = 1e-20 * float(np.vdot(target, target))
    for _ in range(num_steps):
        if squared <= enough:
            break
        image = apply(direction)
        step = squared / float(np.vdot(direction, image))
        found += step * direction
        residual -= step * image
        previous, squared = squared, float(np.vdot(residual, residual))
        direction = residual + squared / previous * direction
    return found


def least_squares_words(
    books: CompositeCodebooks, rows: NDArray[np.float64], codes: NDArray[np.uint8], *, ridge: float
) -> CompositeCodebooks:
    """The words C that minimise sum_i ||row_i - C b_i||^2 + ridge ||C||^2 for these codes, from the present words."""
    pairs = code_pair_counts(codes, codes.shape[1])
    start = books.words.reshape(-1, books.words.shape[2]).T.astype(np.float64)
    found = conjugate_gradients(lambda words: words @ pairs + ridge * words, sums_by_word(rows, codes), start)
    return CompositeCodebooks(np.ascontiguousarray(found.T, dtype=np.float32).reshape(books.words.shape))


def refill_unused(
    books: CompositeCodebooks,
    codes: NDArray[np.uint8],
    rows: NDArray[np.float32],
    row_codes: NDArray[np.uint8],
    rng: np.random.Generator,
) -> CompositeCodebooks:
    """Each word that none of the `codes` uses becomes what a random row lacks: with it the row would be met exactly.

    A least-squares fit leaves such words at zero, where no item would ever take them. What `codes` decode to stays as
    it was. With fewer rows than such words, the rest stay.
    """
    words = books.words.copy()
    missing = rows - books.decode(row_codes)
    for number in range(len(words)):
        unused = np.flatnonzero(np.bincount(codes[:, number], minlength=NUM_CODEWORDS) == 0)
        chosen = rng.permutation(len(rows))[: len(unused)]
        words[number, unused[: len(chosen)]] = missing[chosen] + words[number, row_codes[chosen, number]]
    return CompositeCodebooks(words)
