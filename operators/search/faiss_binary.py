"""Approximate Hamming search through Faiss (an extra), with an audit against the exact scan."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.ranked_neighbors import RankedNeighbors
from operators.search.allowed_rows import AllowedRows
from operators.search.approximate_audit import DEFAULT_AUDIT, ApproximateAudit, AuditSettings, audit_search
from operators.search.block_scan import check_ids, check_k
from operators.search.distinct_codes import DistinctCodes
from operators.search.faiss_extra import load_faiss
from operators.search.faiss_index_kinds import INDEX_KINDS, FaissIndexKind
from operators.search.sealed_bytes import seal_bytes, unseal_bytes

_MANY_DUPLICATES = 0.05
_GROWTH = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class FaissBinary:
    """An index of Faiss over the distinct codes, the items of each code beside it. `audit`: what was found at build.

    Each distinct code is in it once, because a graph loses its way among identical codes: of 50,000 random codes of 64
    bits where a fifth share 100 codes, Faiss's own binary HNSW misses the own code of 10 to 19 % of queries, this none.
    Several threads may search at once.
    """

    index: Any
    distinct: DistinctCodes
    kind: FaissIndexKind
    audit: ApproximateAudit

    @classmethod
    def build(cls, codes: BinaryCodes, kind: FaissIndexKind, audit: AuditSettings = DEFAULT_AUDIT) -> FaissBinary:
        """Index `codes`: at least one, of a width that 8 divides. Logs the audit, and a warning of many duplicates.

        With one OpenMP thread the same codes give the same index. Raises `ShapeMismatch`, and `InvalidSetting` for
        settings that do not fit the codes or where Faiss is not installed.
        """
        faiss = load_faiss(kind.kind)
        if not len(codes) or codes.num_bits % 8:
            expected = "at least one code of a multiple of 8 bits"
            raise ShapeMismatch("codes", f"{len(codes)} of {codes.num_bits} bits", expected)
        distinct = DistinctCodes.of(codes)
        _warn_of_duplicates(distinct, kind)
        index = kind.new_index(faiss, distinct.codes)
        kind.prepare(faiss, index)
        positions = np.arange(len(codes))

        def search(queries: BinaryCodes, k: int) -> RankedNeighbors:
            return _rank(_Wanted(index, distinct, queries, k), positions, None)

        audited = audit_search(codes, search, duplicate_share=distinct.duplicate_share, settings=audit)
        logger.info("%s of %d items: %s", kind.kind, len(codes), audited)
        return cls(index, distinct, kind, audited)

    def search(
        self, queries: BinaryCodes, ids: NDArray[np.int64], *, k: int, allowed: AllowedRows | None = None
    ) -> RankedNeighbors:
        """The `k` nearest items that the index finds, by ascending distance then ascending id; distances are exact.

        `ids`: int64 `(num_items,)`, ascending. Of `allowed` items only: more and more codes are asked for, four times
        as many in each round, until k allowed items are found or the index finds no more. So a filter that few items
        pass is slow here, and rows may be short where the exact scan's are not. Raises `ShapeMismatch` and
        `InvalidSetting`.
        """
        check_k(k)
        check_ids(ids, self.distinct.num_items)
        if queries.num_bits != self.distinct.codes.num_bits:
            raise ShapeMismatch("query codes", f"{queries.num_bits} bits", f"{self.distinct.codes.num_bits} bits")
        if allowed is not None and len(allowed) != len(ids):
            raise ShapeMismatch("allowed rows", f"of {len(allowed)} rows", f"of {len(ids)} items")
        return _rank(_Wanted(self.index, self.distinct, queries, k), ids, allowed)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The index as arrays to store: `index` uint8 (Faiss's bytes behind a header with checksum), `codes` uint8
        `(num_distinct, num_bytes)`, `starts` and `positions` int64."""
        header = {
            "kind": self.kind.kind,
            "settings": asdict(self.kind),
            "audit": asdict(self.audit),
            "num_bits": self.distinct.codes.num_bits,
            "num_codes": len(self.distinct),
        }
        sealed = seal_bytes(header, load_faiss(self.kind.kind).serialize_index_binary(self.index))
        postings = {"starts": self.distinct.starts, "positions": self.distinct.positions}
        return {"index": sealed, "codes": self.distinct.codes.packed, **postings}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, kind: str, num_bits: int) -> FaissBinary:
        """The index of `to_arrays`, whose header must say that it is of this `kind` ("binary_ivf", "binary_hnsw"),
        width and number of codes, and whose bytes must be those that were sealed: else Faiss does not see them. Raises
        `ShapeMismatch`; `InvalidSetting` where Faiss is not installed."""
        faiss = load_faiss(kind)
        distinct = DistinctCodes(BinaryCodes(arrays["codes"], num_bits), arrays["starts"], arrays["positions"])
        header, content = unseal_bytes(arrays["index"])
        stated = {name: header.get(name) for name in ("kind", "num_bits", "num_codes")}
        expected = {"kind": kind, "num_bits": num_bits, "num_codes": len(distinct)}
        if stated != expected or kind not in INDEX_KINDS:
            raise ShapeMismatch("approximate index", str(stated), str(expected))
        settings = INDEX_KINDS[kind](**header["settings"])
        index = _read_index(faiss, content)
        if index.d != num_bits or index.ntotal != len(distinct) or not settings.prepare(faiss, index):
            given = f"{type(index).__name__} of {index.ntotal} codes of {index.d} bits"
            raise ShapeMismatch("approximate index", given, f"{settings} of {len(distinct)} codes of {num_bits} bits")
        return cls(index, distinct, settings, ApproximateAudit(**header["audit"]))


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What is asked of which index."""

    index: Any
    distinct: DistinctCodes
    queries: BinaryCodes
    k: int


def _rank(wanted: _Wanted, ids: NDArray[np.int64], allowed: AllowedRows | None) -> RankedNeighbors:
    """Rounds of more and more codes for the queries that lack answers; without a filter one round is enough."""
    k, num_queries = wanted.k, len(wanted.queries)
    ranked = RankedNeighbors.empty(num_queries, k)
    counts = np.zeros(num_queries, np.int64)
    waiting, num_codes = np.arange(num_queries), min(k, len(wanted.distinct))
    num_sought = k if allowed is None else min(k, allowed.num_allowed)
    if num_sought == 0:
        return ranked
    while len(waiting):
        distances, numbers = wanted.index.search(np.ascontiguousarray(wanted.queries.packed[waiting]), num_codes)
        unfinished = []
        for row, query in enumerate(waiting):
            found = numbers[row] >= 0
            bits, positions = _items_of(wanted, distances[row][found], numbers[row][found], allowed)
            counts[query] = len(positions)
            ranked.distances[query, : len(positions)] = bits
            ranked.ids[query, : len(positions)] = ids[positions]
            if len(positions) < num_sought and found.all() and num_codes < len(wanted.distinct):
                unfinished.append(query)
        waiting, num_codes = np.array(unfinished, np.intp), min(_GROWTH * num_codes, len(wanted.distinct))
    return RankedNeighbors(ranked.distances, ranked.ids, counts)


def _items_of(
    wanted: _Wanted, distances: NDArray[np.int32], numbers: NDArray[np.int64], allowed: AllowedRows | None
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Distances and positions of the first k items of these codes, in the order of the tie rule."""
    most = wanted.k if allowed is None else None
    counts = wanted.distinct.counts(numbers) if most is None else np.minimum(wanted.distinct.counts(numbers), most)
    bits, positions = np.repeat(distances, counts), wanted.distinct.items(numbers, most=most)
    if allowed is not None:
        kept = _passing(positions, allowed)
        bits, positions = bits[kept], positions[kept]
    order = np.lexsort((positions, bits))[: wanted.k]
    return bits[order], positions[order]


def _passing(positions: NDArray[np.int64], allowed: AllowedRows) -> NDArray[np.bool_]:
    bits = allowed.words[positions >> 6] >> (positions & 63).astype(np.uint64)
    passing: NDArray[np.bool_] = (bits & np.uint64(1)).astype(bool)
    return passing


def _warn_of_duplicates(distinct: DistinctCodes, kind: FaissIndexKind) -> None:
    if distinct.duplicate_share > _MANY_DUPLICATES:
        message = "%.1f %% of %d codes are duplicates: collapsed to %d distinct codes before the %s was built"
        logger.warning(message, 100 * distinct.duplicate_share, distinct.num_items, len(distinct), kind.kind)


def _read_index(faiss: Any, content: NDArray[np.uint8]) -> Any:
    try:
        return faiss.deserialize_index_binary(np.ascontiguousarray(content))
    except RuntimeError as error:
        raise ShapeMismatch("approximate index", f"bytes that Faiss refuses ({error})", "an index of Faiss") from error
