"""Graphs of near pairs, compiled: which vertices hang together, and stars that cover them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled


def lowest_connected(left: NDArray[np.int64], right: NDArray[np.int64], num_vertices: int) -> NDArray[np.int64]:
    """For each of `num_vertices` vertices the lowest one that edges `left[i]` to `right[i]` connect it with (itself
    where there is none), int64. Union-find: nearly linear time."""
    lowest = np.arange(num_vertices)
    _unite(left, right, lowest)
    return lowest


def star_centres(
    order: NDArray[np.int64], starts: NDArray[np.int64], neighbours: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Vertices in `order`, each the centre of a star unless it belongs to one; its neighbours that belong to none join.

    Vertex v has the neighbours `neighbours[starts[v]:starts[v + 1]]`. int64: the centre of each vertex, itself for one
    that is not in `order` and joined none.
    """
    centres = np.full(len(starts) - 1, -1)
    _cover(order, starts, neighbours, centres)
    return np.where(centres < 0, np.arange(len(centres)), centres)


@compiled
def _unite(left: Any, right: Any, lowest: Any) -> None:
    for edge in range(len(left)):
        one, other = _root(lowest, left[edge]), _root(lowest, right[edge])
        if one < other:
            lowest[other] = one
        else:
            lowest[one] = other
    for vertex in range(len(lowest)):
        lowest[vertex] = lowest[lowest[vertex]]  # a parent is lower, so its root is known


@compiled
def _root(lowest: Any, vertex: Any) -> Any:
    while lowest[vertex] != vertex:
        lowest[vertex] = lowest[lowest[vertex]]
        vertex = lowest[vertex]
    return vertex


@compiled
def _cover(order: Any, starts: Any, neighbours: Any, centres: Any) -> None:
    for vertex in order:
        if centres[vertex] >= 0:
            continue
        centres[vertex] = vertex
        for place in range(starts[vertex], starts[vertex + 1]):
            if centres[neighbours[place]] < 0:
                centres[neighbours[place]] = vertex
