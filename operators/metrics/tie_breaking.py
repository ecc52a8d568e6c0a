"""The ranked order of a database when many distances are equal.

With r bits there are only r + 1 distances, so most neighbours are tied and a metric depends on the order inside ties.
Left to the order of the array (often sorted by class) it is biased; here ties follow one seeded permutation of the
database. The value that does not depend on any order is in `tie_expected_precision`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.errors import ShapeMismatch


def tie_breaking_order(num_items: int, seed: int) -> NDArray[np.int64]:
    """A permutation of `num_items` positions, int64; the same for the same seed."""
    return np.random.default_rng(seed).permutation(num_items)


def ranked_hits(
    distances: NDArray[np.unsignedinteger] | NDArray[np.float32],
    relevant: NDArray[np.bool_],
    tie_order: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Relevance of the whole database in ranked order: ascending distance, ties in the order of `tie_order`.

    `distances` (uint8 or uint16, which numpy sorts by radix, or float32) and `relevant`: `(num_queries, num_database)`;
    `tie_order` is a permutation of the columns. Returns bool `(num_queries, num_database)`. Raises `ShapeMismatch`.
    """
    if distances.dtype not in (np.uint8, np.uint16, np.float32):
        raise ShapeMismatch("distances", str(distances.dtype), "uint8, uint16 or float32")
    if distances.ndim != 2 or distances.shape != relevant.shape or tie_order.shape != distances.shape[1:]:
        given = f"{distances.shape}, {relevant.shape} and {tie_order.shape}"
        raise ShapeMismatch("distances, relevant and tie_order", given, "(num_queries, n), the same, and (n,)")
    hits = np.empty(relevant.shape, np.bool_)
    for row in range(len(distances)):  # one row at a time stays in the cache
        order = np.argsort(distances[row][tie_order], kind="stable")
        hits[row] = relevant[row][tie_order][order]
    return hits
