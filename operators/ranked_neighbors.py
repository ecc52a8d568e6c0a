"""`RankedNeighbors`: the answer to a search, and the only statement of the tie rule in the project.

Tie rule: ascending distance, then ascending item id. It makes the sharded answer equal to the unsharded one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from operators.errors import ShapeMismatch

PAD_DISTANCE = np.iinfo(np.int32).max
PAD_ID = -1

Distances = NDArray[np.int32] | NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class RankedNeighbors:
    """Neighbours of each query, nearest first.

    `distances`: `(num_queries, k)`, int32 where they count bits, float32 where they are sums of lookup tables; `ids`:
    int64 `(num_queries, k)`; `counts`: int64 `(num_queries,)`, how many leading entries of each row are answers. A
    short row is legal: the rest is `PAD_DISTANCE` (float32: infinity) and `PAD_ID`.
    Raises `ShapeMismatch` when shapes or dtypes disagree or a row breaks the tie rule or repeats an id.
    """

    distances: Distances
    ids: NDArray[np.int64]
    counts: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.distances.ndim != 2 or self.distances.shape != self.ids.shape:
            raise ShapeMismatch(
                "neighbours", f"{self.distances.shape} and {self.ids.shape}", "one shape (num_queries, k)"
            )
        given = f"{self.distances.dtype}, {self.ids.dtype}, {self.counts.dtype}"
        if given not in ("int32, int64, int64", "float32, int64, int64"):
            raise ShapeMismatch("dtypes of distances, ids, counts", given, "int32 or float32, int64, int64")
        num_queries, k = self.distances.shape
        if self.counts.shape != (num_queries,) or np.any(self.counts < 0) or np.any(self.counts > k):
            raise ShapeMismatch("counts", f"{self.counts.shape}", f"({num_queries},) with values from 0 to {k}")
        self._check_order()

    def _check_order(self) -> None:
        nearer, farther = self.distances[:, :-1], self.distances[:, 1:]
        in_order = (nearer < farther) | ((nearer == farther) & (self.ids[:, :-1] < self.ids[:, 1:]))
        inside = np.arange(1, self.distances.shape[1])[None, :] < self.counts[:, None]
        broken = np.flatnonzero(np.any(inside & ~in_order, axis=1))
        if len(broken):
            raise ShapeMismatch("ranking", f"query {broken[0]} out of order", "ascending distance, then ascending id")

    @classmethod
    def empty(cls, num_queries: int, k: int, dtype: npt.DTypeLike = np.int32) -> RankedNeighbors:
        """No answers for any query, with room for `k`; `dtype` is that of distances."""
        pad = np.inf if np.dtype(dtype) == np.float32 else PAD_DISTANCE
        return cls(
            np.full((num_queries, k), pad, dtype),
            np.full((num_queries, k), PAD_ID, np.int64),
            np.zeros(num_queries, np.int64),
        )

    @property
    def num_queries(self) -> int:
        return int(self.distances.shape[0])

    @property
    def k(self) -> int:
        return int(self.distances.shape[1])

    def row(self, query: int) -> tuple[Distances, NDArray[np.int64]]:
        """Distances and ids of one query, without padding."""
        count = int(self.counts[query])
        return self.distances[query, :count], self.ids[query, :count]

    def __repr__(self) -> str:
        return f"RankedNeighbors(num_queries={self.num_queries}, k={self.k}, found={int(self.counts.sum())})"
