"""`ProductCodebooks`: one codebook of 256 words per sub-space (Jegou, Douze and Schmid, TPAMI 2011)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting, ShapeMismatch
from operators.quantization.exact_projection import ExactProjection
from operators.quantization.k_means import k_means
from operators.quantization.lookup_tables import NUM_CODEWORDS, LookupTables


def subspace_bounds(num_dims: int, num_codebooks: int) -> tuple[int, ...]:
    """Where sub-spaces start and end, as even as can be. Raises `InvalidSetting` for less than a dimension each."""
    if num_dims < num_codebooks:
        raise InvalidSetting("num_bits", str(8 * num_codebooks), f"at most {8 * num_dims}, 8 per feature dimension")
    return tuple(num_dims * number // num_codebooks for number in range(num_codebooks + 1))


@dataclass(frozen=True, eq=False)
class ProductCodebooks:
    """`words[m]` float32 `(256, dims of sub-space m)`; sub-space m holds the next so many dimensions.

    A row's code, and a query's table, depend on that row alone. Raises `ShapeMismatch` for words of another shape.
    """

    words: tuple[NDArray[np.float32], ...]

    def __post_init__(self) -> None:
        for number, words in enumerate(self.words):
            if words.dtype != np.float32 or words.ndim != 2 or len(words) != NUM_CODEWORDS or words.shape[1] < 1:
                expected = f"float32 ({NUM_CODEWORDS}, at least 1)"
                raise ShapeMismatch(f"codebook {number}", f"{words.dtype} {words.shape}", expected)

    @classmethod
    def fit(cls, rows: NDArray[np.float32], *, num_codebooks: int, num_iterations: int, seed: int) -> ProductCodebooks:
        """k-means in every sub-space. Raises `InvalidSetting` for fewer than 256 rows."""
        if len(rows) < NUM_CODEWORDS:
            raise InvalidSetting("fit", f"{len(rows)} items", f"at least {NUM_CODEWORDS}, the words of a codebook")
        bounds = subspace_bounds(rows.shape[1], num_codebooks)
        parts = [np.ascontiguousarray(rows[:, start:end]) for start, end in pairwise(bounds)]
        return cls(
            tuple(
                k_means(part, num_centres=NUM_CODEWORDS, num_iterations=num_iterations, seed=seed + number).centres
                for number, part in enumerate(parts)
            )
        )

    @classmethod
    def from_array(cls, array: NDArray[np.float32], num_dims: int) -> ProductCodebooks:
        """The inverse of `to_array` for sub-spaces of `num_dims` dimensions in all."""
        widths = np.diff(subspace_bounds(num_dims, len(array)))
        return cls(tuple(np.ascontiguousarray(words[:, :width]) for words, width in zip(array, widths, strict=True)))

    def to_array(self) -> NDArray[np.float32]:
        """float32 `(num_codebooks, 256, widest sub-space)`, narrower ones filled up with zeros."""
        array = np.zeros((len(self.words), NUM_CODEWORDS, max(words.shape[1] for words in self.words)), np.float32)
        for filled, words in zip(array, self.words, strict=True):
            filled[:, : words.shape[1]] = words
        return array

    @property
    def num_dims(self) -> int:
        return sum(words.shape[1] for words in self.words)

    def split(self, rows: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        """The rows in each sub-space. Raises `ShapeMismatch` for another width."""
        if rows.ndim != 2 or rows.shape[1] != self.num_dims:
            raise ShapeMismatch("rows", str(rows.shape), f"(num_items, {self.num_dims})")
        ends = np.cumsum([words.shape[1] for words in self.words])
        return [np.ascontiguousarray(part) for part in np.split(rows, ends[:-1], axis=1)]

    def assign(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The nearest word in every sub-space, uint8 `(num_items, num_codebooks)`; ties to the lower number."""
        codes = np.empty((len(rows), len(self.words)), np.uint8)
        for number, (part, words) in enumerate(zip(self.split(rows), self.words, strict=True)):
            inner = ExactProjection(np.zeros(words.shape[1], np.float32), np.ascontiguousarray(words.T)).project(part)
            codes[:, number] = (np.square(words, dtype=np.float64).sum(axis=1) - 2 * inner).argmin(axis=1)
        return codes

    def with_means(self, rows: NDArray[np.float32], codes: NDArray[np.uint8]) -> ProductCodebooks:
        """Words moved to the mean of the rows that have them; words without rows stay where they are."""
        moved = []
        for number, (part, words) in enumerate(zip(self.split(rows), self.words, strict=True)):
            sums = np.zeros(words.shape, np.float64)
            np.add.at(sums, codes[:, number], part)
            counts = np.bincount(codes[:, number], minlength=NUM_CODEWORDS)[:, None]
            moved.append(np.where(counts > 0, sums / np.maximum(counts, 1), words).astype(np.float32))
        return ProductCodebooks(tuple(moved))

    def reconstruct(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The words side by side, float32 `(num_items, num_dims)`."""
        return np.concatenate([words[codes[:, number]] for number, words in enumerate(self.words)], axis=1)

    def distance_tables(self, rows: NDArray[np.float32]) -> LookupTables:
        """Squared Euclidean distance of every row to every word of its sub-space."""
        tables = np.empty((len(rows), len(self.words), NUM_CODEWORDS), np.float32)
        for number, (part, words) in enumerate(zip(self.split(rows), self.words, strict=True)):
            for query, own in enumerate(part):
                tables[query, number] = np.square(words - own).sum(axis=1)
        return LookupTables(tables)
