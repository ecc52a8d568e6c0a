"""`QuantizedDatabase`: what SPDAQ learns for every item it was given, by variant of the method."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch
from operators.hashers.database_fit import (
    FitWeights,
    LabelPatterns,
    SampledSide,
    fit_codebooks,
    fit_codes,
    free_vectors,
)
from operators.hashers.similarity_quantization_settings import SimilarityQuantizationSettings
from operators.quantization.composite_codebooks import CompositeCodebooks, least_squares_words, refill_unused
from operators.quantization.lookup_tables import NUM_CODEWORDS


class QuantizedDatabase:
    """`books`, `codes` uint8 `(num_items, num_codebooks)` and `vectors` float32 `(num_items, width)`: the decoded
    codes, or with "LD" and "nQ" the free vectors that the codes follow. Starts from random words and codes."""

    def __init__(self, settings: SimilarityQuantizationSettings, labels: NDArray[np.float32]) -> None:
        self._settings = settings
        self.patterns = LabelPatterns.of(labels)
        rng = np.random.default_rng(settings.seed)
        num_books = settings.num_bits // 8
        words = rng.standard_normal((num_books, NUM_CODEWORDS, settings.width)) / np.sqrt(num_books * settings.width)
        self.books = CompositeCodebooks(words.astype(np.float32))
        self.codes = rng.integers(0, NUM_CODEWORDS, (len(labels), num_books)).astype(np.uint8)
        self.vectors = self.books.decode(self.codes)

    @property
    def learned_codes(self) -> NDArray[np.uint8] | None:
        """Codes for all items; None with "LL" and "nQ", which learn none."""
        return None if self._settings.variant in ("LL", "nQ") else self.codes

    @property
    def unquantized_vectors(self) -> NDArray[np.float32] | None:
        """With "nQ" the vectors of all items, else None."""
        return self.vectors if self._settings.variant == "nQ" else None

    def similarity_forms(self, sampled: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Q `(width, width)` and l `(num_patterns, width)`, float64: the mean over database items j of
        (u . v_j - rho s_j)^2 is u^T Q u - 2 u . l_p plus a constant, for an output u of label pattern p. With "LL" the
        database are the `sampled` items."""
        items = sampled if self._settings.variant == "LL" else slice(None)
        vectors = self.vectors[items].astype(np.float64)
        linear = self.patterns.sums(vectors, items) * (self._settings.similarity / len(vectors))
        return vectors.T @ vectors / len(vectors), linear

    def update(self, sampled: SampledSide, epoch: int) -> None:
        """Codebooks, then codes, for the present outputs of the sampled items; `epoch` seeds what is random."""
        rng = np.random.default_rng([self._settings.seed, epoch, 1])
        if self._settings.variant in ("full", "nC"):
            self._fit_similarities(sampled, rng)
        elif self._settings.variant == "LL":
            self._quantize(sampled.vectors, sampled.items, rng)
            self.vectors[sampled.items] = self.books.decode(self.codes[sampled.items])
        else:
            self._fit_free_vectors(sampled, rng)

    def code_sampled(self, sampled: SampledSide) -> None:
        """Codes of the sampled items from their outputs alone ("LL")."""
        rows = sampled.vectors.astype(np.float32)
        self.codes[sampled.items] = self.books.encode(rows, num_sweeps=self._settings.num_sweeps)
        self.vectors[sampled.items] = self.books.decode(self.codes[sampled.items])

    def _fit_similarities(self, sampled: SampledSide, rng: np.random.Generator) -> None:
        weights, sweeps = self._weights(sampled), self._settings.num_sweeps
        books = fit_codebooks(self.books, self.codes, sampled, self.patterns, weights)
        rows = sampled.vectors.astype(np.float32)
        self.books = refill_unused(books, self.codes, rows, self.codes[sampled.items], rng)
        self.codes = fit_codes(self.books, self.codes, sampled, self.patterns, weights, num_sweeps=sweeps)
        self.vectors = self.books.decode(self.codes)

    def _fit_free_vectors(self, sampled: SampledSide, rng: np.random.Generator) -> None:
        """Vectors in closed form; in "LD" drawn to their codes. Codes and words follow them."""
        pull = self._settings.eta * len(sampled.items) if self._settings.variant == "LD" else 0.0
        coded = self.books.decode(self.codes).astype(np.float64)
        vectors = free_vectors(sampled, self.patterns, self._weights(sampled), coded=coded, pull=pull)
        self._quantize(vectors, np.arange(len(vectors)), rng)
        self.vectors = vectors.astype(np.float32)

    def _quantize(self, vectors: NDArray[np.float64], items: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Composite quantization of the vectors of `items`: their codes, then words by least squares."""
        rows, sweeps = vectors.astype(np.float32), self._settings.num_sweeps
        codes = self.books.encode(rows, num_sweeps=sweeps, known=self.codes[items])
        books = least_squares_words(self.books, vectors, codes, ridge=self._settings.ridge * len(items))
        self.books = refill_unused(books, codes, rows, codes, rng)
        self.codes[items] = codes

    def _weights(self, sampled: SampledSide) -> FitWeights:
        """Means in the network's loss, sums here: each weight times the number of terms it averages over."""
        num_items, settings = len(self.codes), self._settings
        ridge = settings.ridge * num_items * len(sampled.items)
        return FitWeights(similarity=settings.similarity, tie=settings.tie * num_items, ridge=ridge)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """`words`, `codes` and `vectors`; copies."""
        return {"words": self.books.words.copy(), "codes": self.codes.copy(), "vectors": self.vectors.copy()}

    def load_state(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """The inverse of `state`; other arrays are left alone. Raises `ShapeMismatch`."""
        for name, own in self.state().items():
            given = f"{state[name].dtype} {state[name].shape}" if name in state else "none"
            if given != f"{own.dtype} {own.shape}":
                raise ShapeMismatch(f"state {name}", given, f"{own.dtype} {own.shape}")
        self.books = CompositeCodebooks(np.array(state["words"], np.float32))
        self.codes = np.array(state["codes"], np.uint8)
        self.vectors = np.array(state["vectors"], np.float32)
