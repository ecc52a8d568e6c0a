"""Exact scan of every (query, code) pair in blocks under a byte budget: the loop that every flat search shares."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.smallest_k import POSITION_BITS, SmallestK
from operators.ranked_neighbors import Distances, RankedNeighbors
from operators.search.allowed_rows import AllowedRows

BLOCK_BYTES = 2 * 2**20
_MIN_BLOCK_CODES = 4096

Columns = NDArray[np.unsignedinteger]
Nearest = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Distances (as whole numbers) and positions int64 `(num_queries, at most k)` by distance, then position; counts int64
`(num_queries,)`. Entries past a row's count are meaningless."""


class PairScan(ABC):
    """What a scan needs to know: how many queries and codes, and the distances of a block of pairs.

    Blocks hold whole numbers in the order of the distances; `decode` turns those of the winners into distances.
    """

    num_queries: int
    num_codes: int
    position_bits: int = POSITION_BITS
    allowed: AllowedRows | None = None
    """Codes that may answer, None for all."""

    @abstractmethod
    def load_codes(self, rows: slice) -> Columns:
        """The codes of these rows in the layout that `distances` reads, one column per code."""

    @abstractmethod
    def distances(self, queries: slice, codes: Columns) -> NDArray[np.unsignedinteger]:
        """Distances `(num_queries, num_codes)` of these queries to codes that `load_codes` gave."""

    @abstractmethod
    def select(self, rows: NDArray[np.int64]) -> PairScan:
        """The same queries over these codes alone, all of them allowed."""

    def nearest(self, k: int, below: int | None) -> Nearest:
        """The `k` nearest allowed codes of each query, k >= 1; only those nearer than `below`, when it is given."""
        if self.allowed is not None:
            rows = self.allowed.positions()
            distances, places, counts = self.select(rows).nearest(k, below)
            # Entries past a row's count may say anything.
            return distances, rows[places.clip(max=len(rows) - 1)] if len(rows) else places, counts
        k = min(k, self.num_codes)
        smallest = SmallestK(self.num_queries, k, self.position_bits)
        for block in scan_blocks(self, min_block_codes=k):
            smallest.feed(block.first_query, block.distances, block.first_code)
        distances, positions, counts = smallest.sorted_entries()
        if below is not None:
            counts = np.minimum(counts, (distances < below).sum(axis=1))
        return distances, positions, counts

    def decode(self, distances: NDArray[np.int64]) -> Distances:
        """The distances that the whole numbers of a block stand for: themselves, where distances count."""
        return distances.astype(np.int32)


@dataclass(frozen=True)
class ScannedBlock:
    """Distances `(num_queries, num_codes)` of one block, and where it starts."""

    first_query: int
    first_code: int
    distances: NDArray[np.unsignedinteger]


def scan_blocks(scan: PairScan, *, min_block_codes: int = 0) -> Iterator[ScannedBlock]:
    """Every pair once. Each code is loaded once; a query meets the codes in ascending order.

    The largest temporary array of a block (8 bytes a pair) keeps within `BLOCK_BYTES`, but holds at least one query.
    """
    block_codes = max(_MIN_BLOCK_CODES, min_block_codes)
    block_queries = max(1, BLOCK_BYTES // (8 * block_codes))
    if scan.num_queries < block_queries:
        block_codes = max(block_codes, BLOCK_BYTES // (8 * max(1, scan.num_queries)))
    for first_code in range(0, scan.num_codes, block_codes):
        codes = scan.load_codes(slice(first_code, first_code + block_codes))
        for first_query in range(0, scan.num_queries, block_queries):
            queries = slice(first_query, first_query + block_queries)
            yield ScannedBlock(first_query, first_code, scan.distances(queries, codes))


def rank_nearest(scan: PairScan, ids: NDArray[np.int64], *, k: int, below: int | None = None) -> RankedNeighbors:
    """The `k` nearest allowed codes of each query; only those nearer than `below`, when it is given.

    Of `ids` (ascending with the code position) it reads the winners only. Raises `InvalidSetting` for a bad `k`.
    """
    check_k(k)
    distances, positions, counts = scan.nearest(min(k, scan.num_codes), below)
    return rank_positions(scan.decode(distances), positions, counts, ids, k=k)


def rank_positions(
    distances: Distances,
    positions: NDArray[np.int64],
    counts: NDArray[np.int64],
    ids: NDArray[np.int64],
    *,
    k: int,
) -> RankedNeighbors:
    """Positions to ids, padded to `k` columns; entries past a row's count are dropped."""
    ranked = RankedNeighbors.empty(len(counts), k, distances.dtype)
    rows, columns = np.nonzero(np.arange(distances.shape[1])[None, :] < counts[:, None])
    ranked.distances[rows, columns] = distances[rows, columns]
    ranked.ids[rows, columns] = ids[positions[rows, columns]]
    return RankedNeighbors(ranked.distances, ranked.ids, counts)


def check_k(k: int) -> None:
    """Raises `InvalidSetting` unless `k` is a whole number of at least 1 (a bool is none)."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise InvalidSetting("k", repr(k), "a whole number of at least 1")


def check_ids(ids: NDArray[np.int64], num_codes: int) -> None:
    """Raises `ShapeMismatch` unless `ids` is int64 `(num_codes,)`, not negative and strictly ascending."""
    if ids.dtype != np.int64 or ids.shape != (num_codes,):
        raise ShapeMismatch("ids", f"{ids.dtype} {ids.shape}", f"int64 ({num_codes},)")
    if num_codes and ids[0] < 0:
        raise ShapeMismatch("ids", str(ids[0]), "no negative id")
    if not np.all(ids[1:] > ids[:-1]):
        raise ShapeMismatch("ids", "repeated or unordered ids", "strictly ascending ids")
