"""Which items are near which anchors, by a threshold of each anchor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ANCHORS_PER_BLOCK = 64
MIN_MEMBERS = 5


def anchor_neighborhoods(
    features: NDArray[np.float32], anchor_items: NDArray[np.int64], num_neighbors: int
) -> NDArray[np.bool_]:
    """bool `(num_items, num_anchors)`: item j is within theta_i of anchor i, which is item `anchor_items[i]`.

    theta_i is the mean Euclidean distance from the anchor to its `num_neighbors` nearest items, but at least as large
    as makes `MIN_MEMBERS` members: a single neighbour says nothing. An anchor is no neighbour of itself. Needs more
    items than `num_neighbors`. Cost: num_items x num_anchors distances, a block of anchors in memory at a time.
    """
    members = np.empty((len(features), len(anchor_items)), np.bool_)
    lengths = np.square(features, dtype=np.float64).sum(axis=1)
    for start in range(0, len(anchor_items), _ANCHORS_PER_BLOCK):
        items = anchor_items[start : start + _ANCHORS_PER_BLOCK]
        squared = lengths[:, None] + lengths[items] - 2.0 * (features @ features[items].T)
        distances = np.sqrt(np.maximum(squared, 0)).astype(np.float32)
        distances[items, np.arange(len(items))] = np.inf
        nearest = np.sort(np.partition(distances, num_neighbors - 1, axis=0)[:num_neighbors], axis=0)
        threshold = np.maximum(nearest.mean(axis=0, dtype=np.float64), nearest[min(MIN_MEMBERS, num_neighbors) - 1])
        members[:, start : start + _ANCHORS_PER_BLOCK] = distances <= threshold
    return members
