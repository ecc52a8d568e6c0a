"""Merge the answers of several parts of the data into the answer of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from operators.errors import ShapeMismatch
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import check_k


def merge_ranked(parts: Sequence[RankedNeighbors], *, k: int) -> RankedNeighbors:
    """The `k` nearest of all parts, by ascending distance then ascending id; their order does not matter.

    Each part answers the same queries over its own items. When every part holds its own `k` nearest, this is the
    answer over all items, bit for bit. Raises `ShapeMismatch` when there is no part, when numbers of queries differ,
    or when an item comes from two parts; `InvalidSetting` for a bad `k`.
    """
    check_k(k)
    if not parts:
        raise ShapeMismatch("parts", "none", "at least one")
    num_queries = parts[0].num_queries
    for part in parts:
        if part.num_queries != num_queries:
            raise ShapeMismatch("parts", f"{part.num_queries} queries", f"{num_queries} queries as in the first part")
    dtypes = sorted({str(part.distances.dtype) for part in parts})
    if len(dtypes) != 1:
        raise ShapeMismatch("parts", f"distances of {' and '.join(dtypes)}", "one kind of distance")
    distances = np.concatenate([part.distances for part in parts], axis=1)
    ids = np.concatenate([part.ids for part in parts], axis=1)
    inside = np.concatenate([np.arange(part.k)[None, :] < part.counts[:, None] for part in parts], axis=1)
    # Padding sorts behind every answer by itself, whatever distance the answer has.
    order = np.lexsort((ids, distances, ~inside), axis=1)[:, :k]
    counts = np.minimum(inside.sum(axis=1, dtype=np.int64), k)
    merged = RankedNeighbors.empty(num_queries, k, distances.dtype)
    kept = np.arange(k)[None, :] < counts[:, None]
    merged.distances[kept] = np.take_along_axis(distances, order, axis=1)[kept[:, : order.shape[1]]]
    merged.ids[kept] = np.take_along_axis(ids, order, axis=1)[kept[:, : order.shape[1]]]
    return RankedNeighbors(merged.distances, merged.ids, counts)
