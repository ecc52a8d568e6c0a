"""`MultiIndexHash`: exact search within a radius and for the k nearest that looks at few codes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, concatenate
from operators.errors import ShapeMismatch
from operators.kernels import bucket_probing
from operators.kernels.bucket_probing import ProbingLimits, probe_queries
from operators.kernels.code_chunks import read_only, unpadded_words
from operators.kernels.smallest_k import split_keys
from operators.ranked_neighbors import RankedNeighbors
from operators.search.allowed_rows import AllowedRows
from operators.search.block_scan import check_k, rank_nearest, rank_positions
from operators.search.hamming_flat import HammingScan, check_radius, rank_within
from operators.search.merge_ranked import merge_ranked
from operators.search.multi_index_table import MultiIndexTables
from operators.search.probing_costs import ProbingCosts
from operators.search.scan_options import ONE_THREAD, ScanOptions

# A tail is scanned for each query: this many codes, or this share of the indexed ones, take about as long as probing.
_TAIL_CODES = 2**16
_TAIL_SHARE = 1 / 32
# Of many queries, the first few show whether probing is worth while for the others.
_MANY_QUERIES = 16
_FIRST_QUERIES = 4
_NO_LIMIT = 2**62
_BATCH_QUERIES = 256


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
    options: ScanOptions
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
        """Compile probing and the scan, or load what an earlier process compiled, before a query has to wait."""
        from operators.search.compiled_scan import warm_up

        warm_up(self.codes.num_bits)
        self._search(_Asked(self.codes[:0], np.empty(len(self.codes), np.int64), ONE_THREAD, 1, 0))

    def nearest(
        self,
        queries: BinaryCodes,
        ids: NDArray[np.int64],
        *,
        k: int,
        below: int | None = None,
        options: ScanOptions = ONE_THREAD,
    ) -> RankedNeighbors:
        """The `k` nearest codes of each query; arguments and errors as `probe_nearest`."""
        return self.probe_nearest(queries, ids, k=k, below=below, options=options).neighbors

    def radius(
        self, queries: BinaryCodes, ids: NDArray[np.int64], *, radius: int, options: ScanOptions = ONE_THREAD
    ) -> RankedNeighbors:
        """Every code within `radius` bits of each query; arguments and errors as `probe_radius`."""
        return self.probe_radius(queries, ids, radius=radius, options=options).neighbors

    def probe_nearest(
        self,
        queries: BinaryCodes,
        ids: NDArray[np.int64],
        *,
        k: int,
        below: int | None = None,
        options: ScanOptions = ONE_THREAD,
    ) -> ProbedNeighbors:
        """The `k` nearest codes of each query by ascending distance, then ascending id, and how they were found.

        `ids`: int64 `(len(codes),)`, strictly ascending, which is not looked at: it would take longer than the search.
        `below`: only codes nearer than that, which makes it faster where others are far.
        `options`: threads share the queries; rows that are not allowed do not count towards `k`.
        Raises `ShapeMismatch`, `SearchCancelled`; `InvalidSetting` for a `k` that is no whole number of at least 1.
        """
        check_k(k)
        farthest = self.codes.num_bits if below is None else int(below) - 1
        return self._search(_Asked(queries, ids, options, int(k), farthest))

    def probe_radius(
        self, queries: BinaryCodes, ids: NDArray[np.int64], *, radius: int, options: ScanOptions = ONE_THREAD
    ) -> ProbedNeighbors:
        """Every code within `radius` bits (inclusive) of each query in the order of `probe_nearest`, and how they were
        found. As many columns as the longest row has answers. Raises as `probe_nearest`; `InvalidSetting` for a
        radius that is no whole number of at least 0."""
        check_radius(radius)
        return self._search(_Asked(queries, ids, options, None, int(radius)))

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
        num_queries, num_threads = len(asked.queries), asked.options.num_threads
        # Threads share the queries here and the codes in a scan: of few queries the scan has more.
        busy = min(num_threads, max(1, num_queries)) / num_threads
        budget = busy * self._scan_seconds(num_queries)
        if asked.k is None and self._probing_seconds(asked.radius) > budget:
            return np.empty(0, np.int64), _too_costly(num_queries)
        limits = ProbingLimits(
            k=asked.k or _NO_LIMIT,
            radius=asked.radius,
            num_bits=self.codes.num_bits,
            budget_seconds=budget,
            probe_seconds=self.costs.probe,
            candidate_seconds=self.costs.candidate,
        )
        if num_queries < _MANY_QUERIES:
            return self._probe_batches(asked, limits)
        keys, numbers = self._probe_batches(replace(asked, queries=asked.queries[:_FIRST_QUERIES]), limits)
        others = asked.queries[_FIRST_QUERIES:]
        if np.all(numbers[:, bucket_probing.OUTCOME] == bucket_probing.TOO_COSTLY):
            return keys, np.concatenate([numbers, _too_costly(len(others))])
        other_keys, other_numbers = self._probe_batches(replace(asked, queries=others), limits)
        return np.concatenate([keys, other_keys]), np.concatenate([numbers, other_numbers])

    def _probe_batches(self, asked: _Asked, limits: ProbingLimits) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What `probe_queries` gives, in batches between which a search can be cancelled."""
        options = asked.options
        allowed = np.empty(0, np.uint64) if options.allowed is None else options.allowed.words
        allowed, queries = read_only(allowed), unpadded_words(asked.queries.packed)

        def probe(first: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
            options.check_cancelled()
            keys, numbers = probe_queries(self._probed, queries[first : first + size], allowed, limits)
            if np.any(numbers[:, bucket_probing.OUTCOME] == bucket_probing.BROKEN_TABLES):
                expected = "the tables of these codes; rebuild them"
                raise ShapeMismatch("multi-index tables", "positions out of range", expected)
            return keys, numbers

        size = max(1, min(_BATCH_QUERIES, -(-len(queries) // options.num_threads)))
        batches = range(0, max(1, len(queries)), size)
        if min(options.num_threads, len(batches)) == 1:
            parts = [probe(first) for first in batches]
        else:
            with ThreadPoolExecutor(options.num_threads) as pool:
                parts = list(pool.map(probe, batches))
        return np.concatenate([keys for keys, _ in parts]), np.concatenate([numbers for _, numbers in parts])

    def _scan(self, asked: _Asked, rows: NDArray[np.intp], first_code: int) -> RankedNeighbors:
        """These queries over the codes from the first on."""
        codes, ids, queries = self.codes[first_code:], asked.ids[first_code:], asked.queries[rows]
        allowed = _rows_from(asked.options.allowed, first_code)
        scan = HammingScan(codes, queries, replace(asked.options, allowed=allowed))
        if asked.k is not None:
            return rank_nearest(scan, ids, k=asked.k, below=asked.radius + 1)
        return rank_within(*scan.within(asked.radius), ids, num_queries=len(queries))

    def _check(self, asked: _Asked) -> None:
        num_codes, num_bits = len(self.codes), self.codes.num_bits
        if asked.queries.num_bits != num_bits:
            raise ShapeMismatch("query codes", f"{asked.queries.num_bits} bits", f"{num_bits} bits")
        if asked.ids.dtype != np.int64 or asked.ids.shape != (num_codes,):
            raise ShapeMismatch("ids", f"{asked.ids.dtype} {asked.ids.shape}", f"int64 ({num_codes},)")
        asked.options.check_rows(num_codes)


def _too_costly(num_queries: int) -> NDArray[np.int64]:
    """Numbers of queries that were not probed."""
    numbers = np.zeros((num_queries, bucket_probing.NUM_NUMBERS), np.int64)
    numbers[:, bucket_probing.OUTCOME] = bucket_probing.TOO_COSTLY
    return numbers


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
