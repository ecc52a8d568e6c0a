"""A shortlist by Hamming distance, ranked anew by asymmetric distance: bits are cheap, sums of tables are finer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import RankedNeighbors
from operators.search.asymmetric_scan import check_sums
from operators.search.block_scan import check_ids, check_k


def rerank_shortlist(
    shortlist: RankedNeighbors, codes: BinaryCodes, ids: NDArray[np.int64], queries: LookupTables, *, k: int
) -> RankedNeighbors:
    """The `k` items of each query's shortlist nearest by asymmetric distance, ties to lower ids.

    `codes`: quantized codes of the items `ids` (int64, ascending), among them all of the shortlist; `queries`: tables
    of the shortlist's queries. With a shortlist of all items this is the answer of `AsymmetricScan`. Rows as short as
    the shortlist's stay short. Raises `ShapeMismatch`; `InvalidSetting` for a `k` beyond the shortlist's.
    """
    check_k(k)
    check_ids(ids, len(codes))
    check_sums(queries)
    if k > shortlist.k:
        raise InvalidSetting("k", str(k), f"at most {shortlist.k}, the size of the shortlist")
    if codes.num_bits != queries.num_bits:
        raise ShapeMismatch("lookup tables", f"for {queries.num_bits} bits", f"for {codes.num_bits} bits")
    if shortlist.num_queries != len(queries):
        raise ShapeMismatch("shortlist", f"of {shortlist.num_queries} queries", f"of {len(queries)} queries")
    ranked = RankedNeighbors.empty(len(queries), k, np.float32)
    for query in range(len(queries)):
        _, found = shortlist.row(query)
        columns = np.ascontiguousarray(codes.packed[_rows_of(found, ids)].T)
        distances = asymmetric_distances(queries[slice(query, query + 1)], columns)[0] + np.float32(0)  # no -0
        order = np.lexsort((found, distances))[:k]
        ranked.distances[query, : len(order)] = distances[order]
        ranked.ids[query, : len(order)] = found[order]
    return RankedNeighbors(ranked.distances, ranked.ids, np.minimum(shortlist.counts, k))


def _rows_of(found: NDArray[np.int64], ids: NDArray[np.int64]) -> NDArray[np.intp]:
    rows = np.searchsorted(ids, found)
    known = rows < len(ids)
    known[known] = ids[rows[known]] == found[known]
    if not known.all():
        raise ShapeMismatch("shortlist", f"item {found[~known][0]}", "items that have a quantized code")
    return rows
