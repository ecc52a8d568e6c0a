"""How many items, and how many relevant ones, lie at each distance: all that a tie-free measure needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch


@dataclass(frozen=True, eq=False)
class DistanceHistogram:
    """`totals` and `relevant`: int64 `(num_queries, num_distances)`, counts at distance 0, 1, 2, …

    Raises `ShapeMismatch` when shapes differ or more items are relevant than there are.
    """

    totals: NDArray[np.int64]
    relevant: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.totals.ndim != 2 or self.totals.shape != self.relevant.shape:
            raise ShapeMismatch("counts", f"{self.totals.shape} and {self.relevant.shape}", "one 2-dimensional shape")
        if np.any(self.relevant > self.totals) or np.any(self.relevant < 0):
            raise ShapeMismatch("relevant counts", "more than the totals, or negative", "0 to the totals")

    @classmethod
    def count(
        cls, distances: NDArray[np.unsignedinteger], relevant: NDArray[np.bool_], num_distances: int
    ) -> DistanceHistogram:
        """Count `distances` `(num_queries, num_database)`, all below `num_distances`, and those that are `relevant`."""
        if distances.ndim != 2 or distances.shape != relevant.shape:
            raise ShapeMismatch("distances and relevant", f"{distances.shape} and {relevant.shape}", "one shape")
        if distances.size and int(distances.max()) >= num_distances:
            raise ShapeMismatch("distances", str(int(distances.max())), f"below {num_distances}")
        rows = zip(distances, relevant, strict=True)
        pairs = [
            (np.bincount(row, minlength=num_distances), np.bincount(row[hits], minlength=num_distances))
            for row, hits in rows
        ]
        counts = np.array(pairs, dtype=np.int64).reshape(len(distances), 2, num_distances)
        return cls(counts[:, 0], counts[:, 1])
