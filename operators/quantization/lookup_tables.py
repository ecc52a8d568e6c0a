"""`LookupTables`: a query of asymmetric search, a distance to every codeword of every codebook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch

NUM_CODEWORDS = 256
_NUM_HALF_BYTES = 16


@dataclass(frozen=True, eq=False)
class LookupTables:
    """`values` float32 `(num_queries, num_codebooks, 256)`: an item whose code's byte m is c_m lies at distance
    sum over m of `values[query, m, c_m]`, added from m = 0 on in float32 (so that every search gives equal bits).

    Raises `ShapeMismatch` for another shape or dtype, and for NaN or infinity.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        shape = self.values.shape
        if self.values.dtype != np.float32 or len(shape) != 3 or shape[1] < 1 or shape[2] != NUM_CODEWORDS:
            expected = f"float32 (num_queries, num_codebooks, {NUM_CODEWORDS})"
            raise ShapeMismatch("lookup tables", f"{self.values.dtype} {shape}", expected)
        if not np.isfinite(self.values).all():
            raise ShapeMismatch("lookup tables", "NaN or infinity", "finite values")

    @classmethod
    def of_half_bytes(cls, values: NDArray[np.float32]) -> LookupTables:
        """For codes with two sub-codes of 4 bits in a byte, the first in its upper half: `values` float32
        `(num_queries, num_codebooks, 16)`, an even number of codebooks. Their two terms are added first, so that a byte
        is one sub-code of 8 bits to every search. Raises `ShapeMismatch`."""
        shape = values.shape
        if values.dtype != np.float32 or len(shape) != 3 or shape[1] % 2 or shape[2] != _NUM_HALF_BYTES:
            expected = f"float32 (num_queries, an even num_codebooks, {_NUM_HALF_BYTES})"
            raise ShapeMismatch("lookup tables of half bytes", f"{values.dtype} {shape}", expected)
        upper, lower = values[:, ::2, :, None], values[:, 1::2, None, :]
        return cls((upper + lower).reshape(shape[0], shape[1] // 2, NUM_CODEWORDS))

    @property
    def num_codebooks(self) -> int:
        return int(self.values.shape[1])

    @property
    def num_bits(self) -> int:
        """Bits of the codes that these tables are for: one byte per codebook."""
        return 8 * self.num_codebooks

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> LookupTables:
        return LookupTables(self.values[rows])
