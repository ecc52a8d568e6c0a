"""`DistinctCodes`: identical codes collapsed to one code with the positions of its items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.kernels.hamming_numpy import long_words


@dataclass(frozen=True, eq=False)
class DistinctCodes:
    """`codes`: the distinct codes, in ascending order of their bytes where `of` made them; the items of code d lie at
    `positions[starts[d]:starts[d + 1]]`, ascending.

    `starts`: int64 `(len(codes) + 1,)`; `positions`: int64 `(num_items,)`, each of 0 .. `num_items` - 1 once.
    Raises `ShapeMismatch` for arrays that are not such postings.
    """

    codes: BinaryCodes
    starts: NDArray[np.int64]
    positions: NDArray[np.int64]

    def __post_init__(self) -> None:
        num_distinct, num_items = len(self.codes), self.num_items
        given = f"{self.starts.dtype} {self.starts.shape}, {self.positions.dtype} {self.positions.shape}"
        if given != f"int64 ({num_distinct + 1},), int64 ({num_items},)":
            raise ShapeMismatch("starts, positions", given, f"int64 ({num_distinct + 1},), int64 (num_items,)")
        sizes = np.diff(self.starts)
        if self.starts[0] != 0 or self.starts[-1] != num_items or np.any(sizes < 1):
            raise ShapeMismatch("starts", "postings that are empty or overlap", f"0, ascending, {num_items}")
        inside = bool(np.all((self.positions >= 0) & (self.positions < num_items)))
        if not inside or np.any(np.bincount(self.positions, minlength=num_items) != 1):
            raise ShapeMismatch("positions", "repeated or unknown positions", f"each of 0 .. {num_items} - 1 once")
        falling = self.positions[1:] <= self.positions[:-1]
        falling[self.starts[1:-1] - 1] = False
        if np.any(falling):
            raise ShapeMismatch("positions", "a code's positions out of order", "ascending positions of each code")

    @classmethod
    def of(cls, codes: BinaryCodes) -> DistinctCodes:
        """Collapse `codes`. Time of one sort; memory about 32 bytes a code beside the result."""
        words = long_words(codes.packed).byteswap()  # as numbers they sort as their bytes do
        order = np.lexsort(words.T[::-1]) if words.shape[1] > 1 else words[:, 0].argsort(kind="stable")
        ordered = words[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = np.any(ordered[1:] != ordered[:-1], axis=1)
        firsts = np.flatnonzero(is_first)
        starts = np.append(firsts, len(order)).astype(np.int64)
        return cls(codes[order[firsts]], starts, order.astype(np.int64))

    @property
    def num_items(self) -> int:
        return int(self.positions.shape[0]) if self.positions.ndim else 0

    @property
    def duplicate_share(self) -> float:
        """Share of items whose code an item before them has: 0 where all codes differ."""
        return 1 - len(self.codes) / self.num_items if self.num_items else 0.0

    def counts(self, distinct: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many items each of these distinct codes has."""
        counts: NDArray[np.int64] = self.starts[distinct + 1] - self.starts[distinct]
        return counts

    def items(self, distinct: NDArray[np.int64], *, most: int | None = None) -> NDArray[np.int64]:
        """The positions of the items of these distinct codes `(num_asked,)`, one code after another; of each code the
        first `most`, when it is given."""
        counts = self.counts(distinct) if most is None else np.minimum(self.counts(distinct), most)
        ends = np.cumsum(counts)
        within = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - counts, counts)
        found: NDArray[np.int64] = self.positions[np.repeat(self.starts[distinct], counts) + within]
        return found

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"DistinctCodes(num_distinct={len(self)}, num_items={self.num_items}, num_bits={self.codes.num_bits})"
