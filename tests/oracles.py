"""Slow, obvious references that the fast code is tested against: bit loops and sort-everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors

Bits = Sequence[bool]
Ranking = list[tuple[int, int]]


def hamming_by_bits(left: Bits, right: Bits) -> int:
    """Number of positions that differ, one bit at a time."""
    num_different = 0
    for left_bit, right_bit in zip(left, right, strict=True):
        if left_bit != right_bit:
            num_different += 1
    return num_different


def missed_tables(left: Bits, right: Bits, num_tables: int) -> int:
    """Number of tables whose bits are not all equal."""
    width = len(left) // num_tables
    tables = [slice(width * table, width * (table + 1)) for table in range(num_tables)]
    return sum(1 for table in tables if list(left[table]) != list(right[table]))


def rank_everything(
    codes: BinaryCodes, ids: NDArray[np.int64], queries: BinaryCodes, distance: Callable[[Bits, Bits], int]
) -> list[Ranking]:
    """For each query all (distance, id) pairs, sorted by Python."""
    rows = codes.to_bits().tolist()
    return [
        sorted((distance(query, row), int(item)) for row, item in zip(rows, ids, strict=True))
        for query in queries.to_bits().tolist()
    ]


def rankings_of(answer: RankedNeighbors) -> list[Ranking]:
    """The answer as plain (distance, id) pairs, padding dropped."""
    rankings = []
    for query in range(answer.num_queries):
        distances, ids = answer.row(query)
        rankings.append(list(zip(distances.tolist(), ids.tolist(), strict=True)))
    return rankings


def same_answer(left: RankedNeighbors, right: RankedNeighbors) -> bool:
    """Equal bit for bit, padding included."""
    return (
        np.array_equal(left.distances, right.distances)
        and np.array_equal(left.ids, right.ids)
        and np.array_equal(left.counts, right.counts)
    )
