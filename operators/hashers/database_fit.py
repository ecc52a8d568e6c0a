"""Database side of SPDAQ: vectors, codebooks and codes that fit the similarities to the sampled items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.quantization.composite_codebooks import (
    CompositeCodebooks,
    code_pair_counts,
    conjugate_gradients,
    icm_codes,
    quadratic_gram,
    sums_by_word,
)

_ROWS_PER_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class LabelPatterns:
    """Items with equal labels are alike to all others. `of_item` int64 `(num_items,)`; `similarity` float64
    `(num_patterns, num_patterns)`: 1 where a label is shared, else -r, r making both kinds weigh the same in all."""

    of_item: NDArray[np.int64]
    similarity: NDArray[np.float64]

    @classmethod
    def of(cls, labels: NDArray[np.float32]) -> LabelPatterns:
        """From 0/1 `(num_items, num_classes)`; the weight r is that of ADSH (Jiang and Li, AAAI 2018)."""
        patterns, of_item, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
        shared = (patterns @ patterns.T > 0).astype(np.float64)
        pairs = np.outer(counts, counts)
        num_shared = float((pairs * shared).sum())
        num_other = float(pairs.sum()) - num_shared
        weight = num_shared / num_other if num_other else 0.0
        return cls(of_item.astype(np.int64).reshape(-1), shared * (1 + weight) - weight)

    @property
    def num_patterns(self) -> int:
        return len(self.similarity)

    def sums(self, rows: NDArray[np.float64], items: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64]:
        """For every pattern, the rows of `items` summed with their similarity to it: float64 `(num_patterns, width)`.

        The N terms of a sum over items collapse to one per pattern.
        """
        patterns = self.of_item[items]
        by_pattern = np.zeros((self.num_patterns, rows.shape[1]))
        for dim in range(rows.shape[1]):
            by_pattern[:, dim] = np.bincount(patterns, weights=rows[:, dim], minlength=self.num_patterns)
        return self.similarity @ by_pattern


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledSide:
    """`items` int64 `(num_sampled,)`, their network outputs `vectors` float64 `(num_sampled, width)`."""

    items: NDArray[np.int64]
    vectors: NDArray[np.float64]

    @property
    def scatter(self) -> NDArray[np.float64]:
        """U U^T, float64 `(width, width)`."""
        return self.vectors.T @ self.vectors


@dataclass(frozen=True, kw_only=True)
class FitWeights:
    """`similarity` (rho), `tie` (gamma, as a sum over sampled items) and `ridge` (epsilon) of the objective
    sum_ij (u_i . C b_j - rho s_ij)^2 + gamma sum_i ||u_i - C b_i||^2 + epsilon ||C||^2."""

    similarity: float
    tie: float
    ridge: float


def objective(
    books: CompositeCodebooks,
    codes: NDArray[np.uint8],
    sampled: SampledSide,
    patterns: LabelPatterns,
    weights: FitWeights,
) -> float:
    """Its value, by the collapsed sums."""
    vectors = books.decode(codes).astype(np.float64)
    targets = patterns.sums(sampled.vectors, sampled.items) * weights.similarity
    fit = np.einsum("ij,jk,ik->", vectors, sampled.scatter, vectors)
    fit -= 2 * np.einsum("ij,ij->", vectors, targets[patterns.of_item])
    squares = np.square(patterns.similarity[patterns.of_item[sampled.items]])
    fit += weights.similarity**2 * float((squares.sum(axis=0) * np.bincount(patterns.of_item)).sum())
    tie = np.square(sampled.vectors - vectors[sampled.items]).sum()
    return float(fit + weights.tie * tie + weights.ridge * np.square(books.words, dtype=np.float64).sum())


def fit_codebooks(
    books: CompositeCodebooks,
    codes: NDArray[np.uint8],
    sampled: SampledSide,
    patterns: LabelPatterns,
    weights: FitWeights,
) -> CompositeCodebooks:
    """The C that minimises the objective for these codes: U U^T C B B^T + gamma C B_O B_O^T + epsilon C =
    rho U S B^T + gamma U B_O^T, by conjugate gradients from the present words."""
    num_books, _, width = books.words.shape
    scatter, own = sampled.scatter, codes[sampled.items]
    pairs, own_pairs = code_pair_counts(codes, num_books), code_pair_counts(own, num_books)
    targets = patterns.sums(sampled.vectors, sampled.items) * weights.similarity
    target = sums_by_word(targets[patterns.of_item], codes) + weights.tie * sums_by_word(sampled.vectors, own)
    found = conjugate_gradients(
        lambda words: scatter @ words @ pairs + weights.tie * (words @ own_pairs) + weights.ridge * words,
        target,
        books.words.reshape(-1, width).T.astype(np.float64),
    )
    return CompositeCodebooks(np.ascontiguousarray(found.T, dtype=np.float32).reshape(books.words.shape))


def fit_codes(
    books: CompositeCodebooks,
    codes: NDArray[np.uint8],
    sampled: SampledSide,
    patterns: LabelPatterns,
    weights: FitWeights,
    *,
    num_sweeps: int,
) -> NDArray[np.uint8]:
    """Codes of all items, improved by ICM from the present ones. Items of one label pattern share their terms, but for
    the sampled ones, which are also tied to their own output."""
    words = books.words.reshape(-1, books.words.shape[2]).astype(np.float64)
    shape = (-1, *books.words.shape[:2])
    targets = patterns.sums(sampled.vectors, sampled.items) * weights.similarity
    gram = quadratic_gram(books.words, sampled.scatter)
    improved = icm_codes(gram, (targets @ words.T).reshape(shape), patterns.of_item, codes, num_sweeps=num_sweeps)
    if weights.tie > 0:
        linear = targets[patterns.of_item[sampled.items]] + weights.tie * sampled.vectors
        tied_gram = quadratic_gram(books.words, sampled.scatter + weights.tie * np.eye(len(sampled.scatter)))
        for start in range(0, len(sampled.items), _ROWS_PER_BLOCK):
            block = sampled.items[start : start + _ROWS_PER_BLOCK]
            inner = (linear[start : start + _ROWS_PER_BLOCK] @ words.T).reshape(shape)
            improved[block] = icm_codes(tied_gram, inner, np.arange(len(block)), codes[block], num_sweeps=num_sweeps)
    return improved


def free_vectors(
    sampled: SampledSide,
    patterns: LabelPatterns,
    weights: FitWeights,
    *,
    coded: NDArray[np.float64],
    pull: float,
) -> NDArray[np.float64]:
    """The database vectors v that are best when they need not be sums of words, float64 `(num_items, width)`: the
    objective's minimum with v_j for C b_j and epsilon ||v||^2, plus pull sum_j ||v_j - coded_j||^2 ("LD"; "nQ" has no
    pull)."""
    identity = np.eye(len(sampled.scatter))
    targets = patterns.sums(sampled.vectors, sampled.items) * weights.similarity
    linear = targets[patterns.of_item] + pull * coded
    system = sampled.scatter + (weights.ridge + pull) * identity
    vectors = np.asarray(np.linalg.solve(system, linear.T).T, np.float64)
    tied = linear[sampled.items] + weights.tie * sampled.vectors
    vectors[sampled.items] = np.linalg.solve(system + weights.tie * identity, tied.T).T
    return vectors
