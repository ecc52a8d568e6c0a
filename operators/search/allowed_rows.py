"""`AllowedRows`: which codes of a block may answer (filters, tombstones), one bit each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch

_WORD_BITS = 64


@dataclass(frozen=True, eq=False)
class AllowedRows:
    """`words`: uint64 `(ceil(num_rows / 64),)`; row i may answer where bit i % 64 (the lowest is 0) of word i // 64 is
    set. Raises `ShapeMismatch` for another dtype or length."""

    words: NDArray[np.uint64]
    num_rows: int

    def __post_init__(self) -> None:
        expected = (-(-self.num_rows // _WORD_BITS),)
        if self.words.dtype != np.uint64 or self.words.shape != expected:
            raise ShapeMismatch("allowed rows", f"{self.words.dtype} {self.words.shape}", f"uint64 {expected}")

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_]) -> AllowedRows:
        """From booleans `(num_rows,)`."""
        if mask.dtype != np.bool_ or mask.ndim != 1:
            raise ShapeMismatch("mask of allowed rows", f"{mask.dtype} {mask.shape}", "bool (num_rows,)")
        packed = np.zeros(8 * -(-len(mask) // _WORD_BITS), np.uint8)
        bits = np.packbits(mask, bitorder="little")
        packed[: len(bits)] = bits
        return cls(packed.view("<u8").astype(np.uint64, copy=False), len(mask))

    @classmethod
    def all_but(cls, denied: NDArray[np.int64], num_rows: int) -> AllowedRows:
        """Every row except these positions. Takes 1 byte for 8 rows: an index that was just changed opens at once."""
        words = np.full(-(-num_rows // _WORD_BITS), ~np.uint64(0))
        if num_rows % _WORD_BITS:
            words[-1] = (np.uint64(1) << np.uint64(num_rows % _WORD_BITS)) - np.uint64(1)
        rows = np.asarray(denied, np.int64)
        np.bitwise_and.at(words, rows // _WORD_BITS, ~(np.uint64(1) << (rows % _WORD_BITS).astype(np.uint64)))
        return cls(words, num_rows)

    def to_mask(self) -> NDArray[np.bool_]:
        """Booleans `(num_rows,)`."""
        as_bytes = self.words.astype("<u8", copy=False).view(np.uint8)
        return np.unpackbits(as_bytes, count=self.num_rows, bitorder="little").astype(bool)

    def positions(self) -> NDArray[np.int64]:
        """Allowed rows, ascending."""
        return np.flatnonzero(self.to_mask())

    def __and__(self, other: AllowedRows) -> AllowedRows:
        """Rows that both allow."""
        if self.num_rows != other.num_rows:
            raise ShapeMismatch("allowed rows", f"of {other.num_rows} rows", f"of {self.num_rows} rows")
        return AllowedRows(self.words & other.words, self.num_rows)

    def __len__(self) -> int:
        return self.num_rows

    @property
    def num_allowed(self) -> int:
        return int(self.to_mask().sum())
