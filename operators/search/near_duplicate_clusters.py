"""Near duplicates in clusters, and which one of each cluster stays.

A cluster is told by the position of its centre; items with one code always share a cluster. The *neighbours* of an item
are the items within the radius of the join.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.pair_graph import lowest_connected, star_centres
from operators.search.near_pairs import NearPairs

_BLOCK_BYTES = 2**24


def star_clusters(pairs: NearPairs) -> NDArray[np.int64]:
    """The position of each item's centre, int64 `(num_items,)`; its own for an item alone.

    Items are taken by falling number of neighbours, then rising position: each that is in no cluster yet becomes a
    centre, and its neighbours in no cluster yet join. So every member is within the radius of its centre, and unlike
    items are not chained (J. Aslam, E. Pelekhov, D. Rus, "The star clustering algorithm", 2004).
    """
    starts, neighbours = _adjacency(pairs)
    return star_centres(_by_neighbours(pairs), starts, neighbours)[pairs.first]


def connected_clusters(pairs: NearPairs) -> NDArray[np.int64]:
    """The position of each item's centre, int64 `(num_items,)`, where whatever a chain of near pairs connects is one
    cluster. Its centre is the item with most neighbours (ties: the lower position); members may be far from it."""
    _check_one_set(pairs)
    lowest = lowest_connected(pairs.left, pairs.right, len(pairs.first))
    order = _by_neighbours(pairs)
    components, chosen = np.unique(lowest[order], return_index=True)
    centres = np.arange(len(pairs.first))
    centres[components] = order[chosen]
    return centres[lowest[pairs.first]]


def nearest_in_other(pairs: NearPairs) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """For each item of the left set the position of the nearest of the other set (ties: the lower one) and the
    distance, int64 and int32 `(num_items,)`; -1 where none is within the radius."""
    if pairs.first_right is None:
        raise ShapeMismatch("pairs", "of one set", "pairs between two sets")
    order = np.lexsort((pairs.right, pairs.distances, pairs.left))
    lefts, chosen = np.unique(pairs.left[order], return_index=True)
    nearest, distances = np.full(len(pairs.first), -1), np.full(len(pairs.first), -1, np.int32)
    nearest[lefts] = pairs.right[order[chosen]]
    distances[lefts] = pairs.distances[order[chosen]]
    return nearest[pairs.first], distances[pairs.first]


def keep_one(centres: NDArray[np.int64], scores: NDArray[np.float64] | None = None) -> NDArray[np.bool_]:
    """Which items stay, bool `(num_items,)`: of each cluster the one with the highest score (NaN: below all others),
    of several the first; without scores the first."""
    if scores is not None and scores.shape != centres.shape:
        raise ShapeMismatch("scores", str(scores.shape), str(centres.shape))
    worths = np.zeros(len(centres)) if scores is None else np.where(np.isnan(scores), -np.inf, scores)
    order = np.lexsort((np.arange(len(centres)), -worths, centres))
    _, chosen = np.unique(centres[order], return_index=True)
    kept = np.zeros(len(centres), bool)
    kept[order[chosen]] = True
    return kept


def distances_to(codes: BinaryCodes, centres: NDArray[np.int64]) -> NDArray[np.int32]:
    """Bits in which each code differs from that at its centre's position, int32 `(num_items,)`. Memory: a block."""
    if centres.shape != (len(codes),):
        raise ShapeMismatch("centres", str(centres.shape), f"({len(codes)},)")
    distances = np.zeros(len(codes), np.int32)
    moved = np.flatnonzero(centres != np.arange(len(codes)))
    rows = max(1, _BLOCK_BYTES // codes.packed.shape[1])
    for start in range(0, len(moved), rows):
        block = moved[start : start + rows]
        differing = np.bitwise_count(codes.packed[block] ^ codes.packed[centres[block]])
        distances[block] = differing.sum(axis=1, dtype=np.int32)
    return distances


def _check_one_set(pairs: NearPairs) -> None:
    if pairs.first_right is not None:
        raise InvalidSetting("pairs", "between two sets", "pairs of one set")


def _adjacency(pairs: NearPairs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Neighbours of each first item, and where they start."""
    _check_one_set(pairs)
    here, there = np.concatenate([pairs.left, pairs.right]), np.concatenate([pairs.right, pairs.left])
    order = np.argsort(here, kind="stable")
    counts = np.bincount(here, minlength=len(pairs.first))
    return np.concatenate([[0], np.cumsum(counts)]), there[order]


def _by_neighbours(pairs: NearPairs) -> NDArray[np.int64]:
    """The first items of all codes by falling number of neighbours, then rising position."""
    firsts = np.flatnonzero(pairs.first == np.arange(len(pairs.first)))
    with_code = np.bincount(pairs.first, minlength=len(pairs.first))
    num_neighbours = with_code - 1
    num_neighbours += np.bincount(pairs.left, with_code[pairs.right], len(with_code)).astype(np.int64)
    num_neighbours += np.bincount(pairs.right, with_code[pairs.left], len(with_code)).astype(np.int64)
    return firsts[np.lexsort((firsts, -num_neighbours[firsts]))]
