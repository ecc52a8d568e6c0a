"""`MultiIndexHash`: exact search within a radius and for the k nearest that looks at few codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, concatenate
from operators.errors import ShapeMismatch
from operators.kernels import bucket_probing
from operators.kernels.bucket_probing import ProbingLimits, probe_queries
from operators.kernels.code_chunks import code_words
from operators.kernels.smallest_k import split_keys
from operators.ranked_neighbors import RankedNeighbors
from operators.search.allowed_rows import AllowedRows
from operators.search.block_scan import check_k, rank_nearest, rank_positions
from operators.search.hamming_flat import HammingScan, check_radius, rank_within
from operators.search.merge_ranked import merge_ranked
from operators.search.multi_index_table import MultiIndexTables
from operators.search.probing_costs import ProbingCosts
from operators.search.scan_options import ScanOptions

Allowed = AllowedRows | NDArray[np.bool_]
"""Which codes may answer. A mask of booleans is packed at each call, which takes longer than many a search."""

# A tail is scanned for each query: this many codes, or this share of the indexed ones, take about as long as probing.
_TAIL_CODES = 2**16
_TAIL_SHARE = 1 / 32
_NO_LIMIT = 2**62


@dataclass(frozen=True, eq=False)
class ProbedNeighbors:
    """An answer and how it was found, per query: `scanned` bool, `num_probes` (buckets looked into) and
    `num_candidates` (codes compared there) int64, all `(num_queries,)`. A scanned query may have been probed first."""

    neighbors: RankedNeighbors
    scanned: NDArray[np.bool_]
    num_probes: NDArray[np.int64]
    num_candidates: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Asked:
    queries: BinaryCodes
    ids: NDArray[np.int64]
    allowed: AllowedRows | None
    k: int | None
    """None for everything within the radius."""
    radius: int


class MultiIndexHash:
    """Codes with `MultiIndexTables` over all but the last few, the *tail*, which is scanned.

    Answers are those of `search_flat` and `search_radius`. A query for which probing would take longer than a scan, by
    `costs`, is scanned for: before it is probed at all, or as soon as it has taken that long. Safe for several threads.
    """

    def __init__(self, codes: BinaryCodes, tables: MultiIndexTables, *, costs: ProbingCosts | None = None) -> None:
        """`tables` over the first codes, such as `MultiIndexTables.build` makes. Raises `ShapeMismatch` where they do
        not fit."""
        self.codes = codes
        self.tables = MultiIndexTables.from_arrays(codes, tables.arrays())
        self.costs = costs or ProbingCosts()
        self._probed = self.tables.probed(codes[: self.tables.num_indexed])

    @classmethod
    def build(
        cls, codes: BinaryCodes, *, num_chunks: int | None = None, costs: ProbingCosts | None = None
    ) -> MultiIndexHash:
        """Tables over all codes; arguments and errors as `MultiIndexTables.build`."""
        return cls(codes, MultiIndexTables.build(codes, num_chunks), costs=costs)

    def arrays(self) -> dict[str, NDArray[np.unsignedinteger]]:
        """The tables by name, to be saved; the codes are not among them."""
        return self.tables.arrays()

    @classmethod
    def from_arrays(
        cls,
        codes: BinaryCodes,
        arrays: Mapping[str, NDArray[np.unsignedinteger]],
        *,
        costs: ProbingCosts | None = None,
    ) -> MultiIndexHash:
        """What was saved, memory-mapped or not, with its codes; codes past those that the tables cover are the tail.

        Raises `ShapeMismatch` as `MultiIndexTables.from_arrays`.
        """
        return cls(codes, MultiIndexTables.from_arrays(codes, arrays), costs=costs)

    def with_added(self, added: BinaryCodes) -> MultiIndexHash:
        """The same with more codes behind the others. The tables stay until the tail exceeds a 32nd of the indexed
        codes (and 65,536), then they are rebuilt. Raises `ShapeMismatch` for another width."""
        codes = concatenate([self.codes, added])
        tail = len(codes) - self.tables.num_indexed
        if tail > max(_TAIL_CODES, _TAIL_SHARE * self.tables.num_indexed):
            return MultiIndexHash.build(codes, costs=self.costs)
        return MultiIndexHash(codes, self.tables, costs=self.costs)

    def warm_up(self) -> None:
        """Compile, or load what an earlier process compiled, ahead of the first query; seconds, or milliseconds."""
        self._search(_Asked(self.codes[:0], np.empty(len(self.codes), np.int64), None, 1, 0))

    def nearest(
        self,
        queries: BinaryCodes,
        ids: NDArray[np.int64],
        *,
        k: int,
        below: int | None = None,
        allowed: Allowed | None = None,
    ) -> RankedNeighbors:
        """The `k` nearest codes of each query; arguments and errors as `probe_nearest`."""
        return self.probe_nearest(queries, ids, k=k, below=below, allowed=allowed).neighbors

    def radius(
        self, queries: BinaryCodes, ids: NDArray[np.int64], *, radius: int, allowed: Allowed | None = None
    ) -> RankedNeighbors:
        """Every code within `radius` bits of each query; arguments and errors as `probe_radius`."""
        return self.probe_radius(queries, ids, radius=radius, allowed=allowed).neighbors

    def probe_nearest(
        self,
        queries: BinaryCodes,
        ids: NDArray[np.int64],
        *,
        k: int,
        below: int | None = None,
        allowed: Allowed | None = None,
    ) -> ProbedNeighbors:
        """The `k` nearest codes of each query by ascending distance, then ascending id, and how they were found.

        `ids`: int64 `(len(codes),)`, strictly ascending, which is not looked at: it would take longer than the search.
        `below`: only codes nearer than that, which makes it faster where others are far.
        `allowed`: about `len(codes)` rows; codes that are not allowed never answer and do not count towards `k`.
        Raises `ShapeMismatch`; `InvalidSetting` for a `k` that is no whole number of at least 1.
        """
        check_k(k)
        farthest = self.codes.num_bits if below is None else int(below) - 1
        return self._search(_Asked(queries, ids, _rows(allowed), int(k), farthest))

    def probe_radius(
        self, queries: BinaryCodes, ids: NDArray[np.int64], *, radius: int, allowed: Allowed | None = None
    ) -> ProbedNeighbors:
        """Every code within `radius` bits (inclusive) of each query in the order of `probe_nearest`, and how they were
        found. As many columns as the longest row has answers. Raises `ShapeMismatch`; `InvalidSetting` for a radius
        that is no whole number of at least 0."""
        check_radius(radius)
        return self._search(_Asked(queries, ids, _rows(allowed), None, int(radius)))

    def _search(self, asked: _Asked) -> ProbedNeighbors:
        self._check(asked)
        keys, numbers = self._probe(asked)
        scanned = numbers[:, bucket_probing.OUTCOME] == bucket_probing.TOO_COSTLY
        counts = numbers[:, bucket_probing.NUM_ANSWERS]
        probed = _ranked(keys, counts, asked)
        num_indexed = self.tables.num_indexed
        if num_indexed < len(self.codes):
            rows = np.flatnonzero(~scanned)
            tail = self._scan(asked, rows, num_indexed)
            probed = _joined(probed, _spread(tail, rows, len(counts)), asked)
        if scanned.any():
            rows = np.flatnonzero(scanned)
            probed = _joined(probed, _spread(self._scan(asked, rows, 0), rows, len(counts)), asked)
        return ProbedNeighbors(
            probed,
            scanned,
            numbers[:, bucket_probing.NUM_PROBES].copy(),
            numbers[:, bucket_probing.NUM_CANDIDATES].copy(),
        )

    def predicted_seconds(self, radius: int, num_queries: int = 1) -> float:
        """Predicted time per query of `radius`, when so many are asked together: of probing or of a scan, whichever is
        less. Raises `InvalidSetting` as `probe_radius`."""
        check_radius(radius)
        return min(self._probing_seconds(radius), self._scan_seconds(num_queries))

    def _probing_seconds(self, radius: int) -> float:
        return self.costs.probing_seconds(*self.tables.predicted_work(min(radius, self.codes.num_bits)))

    def _scan_seconds(self, num_queries: int) -> float:
        return self.costs.scan_seconds(self.tables.num_indexed, self.codes.num_bits, num_queries)

    def _probe(self, asked: _Asked) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        num_queries, budget = len(asked.queries), self._scan_seconds(len(asked.queries))
        if asked.k is None and self._probing_seconds(asked.radius) > budget:
            numbers = np.zeros((num_queries, bucket_probing.NUM_NUMBERS), np.int64)
            numbers[:, bucket_probing.OUTCOME] = bucket_probing.TOO_COSTLY
            return np.empty(0, np.int64), numbers
        limits = ProbingLimits(
            k=asked.k or _NO_LIMIT,
            radius=asked.radius,
            num_bits=self.codes.num_bits,
            budget_seconds=budget,
            probe_seconds=self.costs.probe,
            candidate_seconds=self.costs.candidate,
        )
        allowed = np.empty(0, np.uint64) if asked.allowed is None else asked.allowed.words
        queries = np.ascontiguousarray(code_words(asked.queries.packed))
        keys, numbers = probe_queries(self._probed, queries, allowed, limits)
        if np.any(numbers[:, bucket_probing.OUTCOME] == bucket_probing.BROKEN_TABLES):
            raise ShapeMismatch(
                "multi-index tables", "positions out of range", "the tables of these codes; rebuild them"
            )
        return keys, numbers

    def _scan(self, asked: _Asked, rows: NDArray[np.intp], first_code: int) -> RankedNeighbors:
        """These queries over the codes from the first on."""
        codes, ids, queries = self.codes[first_code:], asked.ids[first_code:], asked.queries[rows]
        options = ScanOptions(allowed=_rows_from(asked.allowed, first_code))
        scan = HammingScan(codes, queries, options)
        if asked.k is not None:
            return rank_nearest(scan, ids, k=asked.k, below=asked.radius + 1)
        return rank_within(*scan.within(asked.radius), ids, num_queries=len(queries))

    def _check(self, asked: _Asked) -> None:
        num_codes, num_bits = len(self.codes), self.codes.num_bits
        if asked.queries.num_bits != num_bits:
            raise ShapeMismatch("query codes", f"{asked.queries.num_bits} bits", f"{num_bits} bits")
        if asked.ids.dtype != np.int64 or asked.ids.shape != (num_codes,):
            raise ShapeMismatch("ids", f"{asked.ids.dtype} {asked.ids.shape}", f"int64 ({num_codes},)")
        ScanOptions(allowed=asked.allowed).check_rows(num_codes)


def _rows(allowed: Allowed | None) -> AllowedRows | None:
    return AllowedRows.from_mask(allowed) if isinstance(allowed, np.ndarray) else allowed


def _rows_from(allowed: AllowedRows | None, first: int) -> AllowedRows | None:
    """What is said about the rows from the first on."""
    if allowed is None or first == 0:
        return allowed
    word, bit = divmod(first, 64)
    return AllowedRows.from_mask(AllowedRows(allowed.words[word:], len(allowed) - 64 * word).to_mask()[bit:])


def _ranked(keys: NDArray[np.int64], counts: NDArray[np.int64], asked: _Asked) -> RankedNeighbors:
    """`keys`: those of one query after the other, in no order; `counts` of each."""
    width = int(counts.max(initial=0)) if asked.k is None else asked.k
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((keys, rows))
    columns = np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = columns < width
    table = np.zeros((len(counts), width), np.int64)
    table[rows[kept], columns[kept]] = keys[order[kept]]
    distances, positions = split_keys(table)
    return rank_positions(distances.astype(np.int32), positions, np.minimum(counts, width), asked.ids, k=width)


def _spread(part: RankedNeighbors, rows: NDArray[np.intp], num_queries: int) -> RankedNeighbors:
    """Answers of these rows among all queries; the others have none."""
    spread = RankedNeighbors.empty(num_queries, part.k)
    spread.distances[rows], spread.ids[rows], spread.counts[rows] = part.distances, part.ids, part.counts
    return RankedNeighbors(spread.distances, spread.ids, spread.counts)


def _joined(left: RankedNeighbors, right: RankedNeighbors, asked: _Asked) -> RankedNeighbors:
    """Both answers to what was asked; within a radius, as many columns as the longest row has."""
    width = int((left.counts + right.counts).max(initial=0)) if asked.k is None else asked.k
    if width == 0:
        return RankedNeighbors.empty(left.num_queries, 0)
    return merge_ranked([left, right], k=width)
