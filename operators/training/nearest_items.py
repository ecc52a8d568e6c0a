"""The nearest other items of every item, by exact distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS = 1024


def nearest_items(rows: NDArray[np.float32], num_neighbors: int) -> NDArray[np.int64]:
    """int64 `(num_items, num_neighbors)`, nearest first, self left out; by Euclidean distance. O(n^2 d)."""
    lengths = np.square(rows, dtype=np.float64).sum(axis=1).astype(np.float32)
    found = np.empty((len(rows), num_neighbors), np.int64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        scores = lengths - 2 * (block @ rows.T)
        places = np.arange(len(block))
        scores[places, start + places] = np.inf
        nearest = np.argpartition(scores, num_neighbors - 1, axis=1)[:, :num_neighbors]
        order = np.argsort(np.take_along_axis(scores, nearest, axis=1), axis=1, kind="stable")
        found[start : start + _BLOCK_ROWS] = np.take_along_axis(nearest, order, axis=1)
    return found
