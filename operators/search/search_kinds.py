"""The ways to search one block of codes, by name: what each keeps beside the codes, and how it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import rank_nearest
from operators.search.scan_options import ScanOptions
from operators.search.search_queries import SearchQueries, scan_of

Arrays = Mapping[str, NDArray[Any]]

EXACT_KINDS = ("scan", "multi_index")
LISTS_PER_PROBE = 16
"""An index by lists ("binary_ivf") looks through one in so many."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NearestQuestion:
    """The `k` nearest of each query, of those nearer than `below` (when given) and of allowed rows. `ids`: int64
    `(num_codes,)`, ascending."""

    queries: SearchQueries
    ids: NDArray[np.int64]
    k: int
    below: int | None
    options: ScanOptions


class CodeSearch(Protocol):
    """Safe to ask from several threads."""

    def nearest(self, question: NearestQuestion) -> RankedNeighbors:
        """Raises `ShapeMismatch`, `InvalidSetting` and `SearchCancelled`."""

    def warm_up(self) -> None:
        """Have compiled what a first question would wait for, a few seconds on a machine that has not met the width."""

    def audit(self) -> str | None:
        """What was found to be missed when it was built; None for a kind that misses nothing."""


def build_arrays(kind: str, codes: BinaryCodes) -> dict[str, NDArray[Any]]:
    """What a search of that kind keeps beside the codes, by name; nothing for "scan".

    Raises `InvalidSetting` for an unknown kind or a missing library, `ShapeMismatch` for codes it does not take.
    """
    return _kind(kind).build(codes)


def open_code_search(kind: str, codes: BinaryCodes, arrays: Arrays, *, device: str = "cpu") -> CodeSearch:
    """The search over codes and what `build_arrays` gave, memory-mapped or not. `device`: where a scan runs.

    Raises `ShapeMismatch` where the arrays do not fit the codes, `InvalidSetting` for an unknown kind, a missing
    library, a device that is not there, and for a device other than "cpu" of a kind that does not scan.
    """
    if device == "cpu":
        return _kind(kind).open(codes, arrays)
    if kind != "scan":
        raise InvalidSetting("device", repr(device), f"cpu for an index of kind {kind}; build one of kind scan")
    from operators.search.gpu_scan import GpuCodes

    return GpuScanSearch(GpuCodes(codes, device))


@dataclass(frozen=True, eq=False)
class ScanSearch:
    """Every code is looked at."""

    codes: BinaryCodes

    def nearest(self, question: NearestQuestion) -> RankedNeighbors:
        scan = scan_of(self.codes, question.queries, question.options)
        return rank_nearest(scan, question.ids, k=question.k, below=question.below)

    def warm_up(self) -> None:
        from operators.search.compiled_scan import warm_up

        warm_up(self.codes.num_bits)

    def audit(self) -> str | None:
        return None


@dataclass(frozen=True, eq=False)
class GpuScanSearch:
    """Every code is looked at, by a GPU."""

    codes: Any

    def nearest(self, question: NearestQuestion) -> RankedNeighbors:
        from operators.search.gpu_scan import GpuScan

        scan = GpuScan(self.codes, _binary(question.queries, "a GPU scan"), question.options)
        return rank_nearest(scan, question.ids, k=question.k, below=question.below)

    def warm_up(self) -> None:
        pass

    def audit(self) -> str | None:
        return None


@dataclass(frozen=True, eq=False)
class MultiIndexSearch:
    """Multi-index hashing, exact."""

    index: Any

    def nearest(self, question: NearestQuestion) -> RankedNeighbors:
        queries = _binary(question.queries, "multi_index")
        ranked: RankedNeighbors = self.index.nearest(
            queries, question.ids, k=question.k, below=question.below, options=question.options
        )
        return ranked

    def warm_up(self) -> None:
        self.index.warm_up()

    def audit(self) -> str | None:
        return None


@dataclass(frozen=True, eq=False)
class FaissSearch:
    """Approximate, through Faiss."""

    index: Any

    def nearest(self, question: NearestQuestion) -> RankedNeighbors:
        queries, allowed = _binary(question.queries, self.index.kind.kind), question.options.allowed
        question.options.check_cancelled()
        ranked: RankedNeighbors = self.index.search(queries, question.ids, k=question.k, allowed=allowed)
        if question.below is None:
            return ranked
        nearer = (ranked.distances < question.below).sum(axis=1, dtype=np.int64)
        return RankedNeighbors(ranked.distances, ranked.ids, np.minimum(ranked.counts, nearer))

    def warm_up(self) -> None:
        pass

    def audit(self) -> str | None:
        return str(self.index.audit)


@dataclass(frozen=True)
class _SearchKind:
    build: Callable[[BinaryCodes], dict[str, NDArray[Any]]]
    open: Callable[[BinaryCodes, Arrays], CodeSearch]


def _no_arrays(codes: BinaryCodes) -> dict[str, NDArray[Any]]:
    return {}


def _open_scan(codes: BinaryCodes, arrays: Arrays) -> CodeSearch:
    if arrays:
        raise ShapeMismatch("arrays of a scan", ", ".join(sorted(arrays)), "none")
    return ScanSearch(codes)


def _multi_index_arrays(codes: BinaryCodes) -> dict[str, NDArray[Any]]:
    from operators.search.multi_index_table import MultiIndexTables

    return dict(MultiIndexTables.build(codes).arrays())


def _open_multi_index(codes: BinaryCodes, arrays: Arrays) -> CodeSearch:
    from operators.search.multi_index_hash import MultiIndexHash

    return MultiIndexSearch(MultiIndexHash.from_arrays(codes, arrays))


def _ivf_arrays(codes: BinaryCodes) -> dict[str, NDArray[Any]]:
    from operators.search.faiss_binary import FaissBinary
    from operators.search.faiss_index_kinds import BinaryIvf

    num_lists = max(1, min(4 * isqrt(len(codes)), len(np.unique(codes.packed, axis=0))))
    kind = BinaryIvf(num_lists=num_lists, num_probes=-(-num_lists // LISTS_PER_PROBE))
    return FaissBinary.build(codes, kind).to_arrays()


def _hnsw_arrays(codes: BinaryCodes) -> dict[str, NDArray[Any]]:
    from operators.search.faiss_binary import FaissBinary
    from operators.search.faiss_index_kinds import BinaryHnsw

    return FaissBinary.build(codes, BinaryHnsw()).to_arrays()


def _opens_faiss(kind: str) -> Callable[[BinaryCodes, Arrays], CodeSearch]:
    def open_faiss(codes: BinaryCodes, arrays: Arrays) -> CodeSearch:
        from operators.search.faiss_binary import FaissBinary

        return FaissSearch(FaissBinary.from_arrays(arrays, kind=kind, num_bits=codes.num_bits))

    return open_faiss


_KINDS: dict[str, _SearchKind] = {
    "scan": _SearchKind(_no_arrays, _open_scan),
    "multi_index": _SearchKind(_multi_index_arrays, _open_multi_index),
    "binary_ivf": _SearchKind(_ivf_arrays, _opens_faiss("binary_ivf")),
    "binary_hnsw": _SearchKind(_hnsw_arrays, _opens_faiss("binary_hnsw")),
}
SEARCH_KINDS = tuple(_KINDS)


def _kind(name: str) -> _SearchKind:
    if name not in _KINDS:
        raise InvalidSetting("search kind", repr(name), f"one of {', '.join(SEARCH_KINDS)}")
    return _KINDS[name]


def _binary(queries: SearchQueries, kind: str) -> BinaryCodes:
    if isinstance(queries, LookupTables):
        raise ShapeMismatch("queries", "lookup tables", f"codes, for {kind}")
    return queries
