"""Shortlists ranked anew, against plain sorting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import RankedNeighbors
from operators.search.asymmetric_scan import AsymmetricScan
from operators.search.block_scan import rank_nearest
from operators.search.hamming_flat import search_flat
from operators.search.shortlist_rerank import rerank_shortlist


class _Case:
    """Items with a binary and a quantized code each, and queries of both kinds; few values, so that most tie."""

    def __init__(self, num_items: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.binary = BinaryCodes.from_bits(rng.random((num_items, 6)) < 0.5)
        self.quantized = BinaryCodes(rng.integers(0, 3, (num_items, 4), dtype=np.uint8), 32)
        self.ids = np.sort(rng.choice(500, num_items, replace=False)).astype(np.int64)
        self.queries = BinaryCodes.from_bits(rng.random((3, 6)) < 0.5)
        self.tables = LookupTables(rng.integers(-4, 5, (3, 4, 256)).astype(np.float32) / np.float32(8))

    def shortlist(self, size: int) -> RankedNeighbors:
        return search_flat(self.binary, self.ids, self.queries, k=size)


@settings(max_examples=80, deadline=None)
@given(num_items=st.integers(0, 40), size=st.integers(1, 50), data=st.data(), seed=st.integers(0, 2**32))
def test_equals_sorting_the_shortlist(num_items: int, size: int, data: st.DataObject, seed: int) -> None:
    case, k = _Case(num_items, seed), data.draw(st.integers(1, size))
    shortlist = case.shortlist(size)
    ranked = rerank_shortlist(shortlist, case.quantized, case.ids, case.tables, k=k)
    assert ranked.k == k
    assert ranked.distances.dtype == np.float32
    for query in range(3):
        table = case.tables.values[query]
        expected = sorted(
            (sum(float(table[m, byte]) for m, byte in enumerate(case.quantized.packed[row])), int(case.ids[row]))
            for row in np.flatnonzero(np.isin(case.ids, shortlist.row(query)[1]))
        )[:k]
        distances, found = ranked.row(query)
        assert list(zip(distances.tolist(), found.tolist(), strict=True)) == expected


def test_a_shortlist_of_all_gives_the_asymmetric_scan() -> None:
    case = _Case(60, 0)
    ranked = rerank_shortlist(case.shortlist(60), case.quantized, case.ids, case.tables, k=20)
    scanned = rank_nearest(AsymmetricScan(case.quantized, case.tables), case.ids, k=20)
    np.testing.assert_array_equal(ranked.distances, scanned.distances)
    np.testing.assert_array_equal(ranked.ids, scanned.ids)


def test_more_than_the_shortlist_is_refused() -> None:
    case = _Case(10, 0)
    with pytest.raises(InvalidSetting, match="k = 6: expected at most 5, the size of the shortlist"):
        rerank_shortlist(case.shortlist(5), case.quantized, case.ids, case.tables, k=6)


@pytest.mark.parametrize("num_known", [0, 4])
def test_an_item_without_a_code_is_refused(num_known: int) -> None:
    case = _Case(10, 0)
    codes, ids = case.quantized[slice(0, num_known)], case.ids[:num_known]
    with pytest.raises(ShapeMismatch, match=r"shortlist: got item \d+"):
        rerank_shortlist(case.shortlist(10), codes, ids, case.tables, k=2)


def test_other_queries_or_widths_are_refused() -> None:
    case = _Case(10, 0)
    with pytest.raises(ShapeMismatch, match="of 3 queries, expected of 2 queries"):
        rerank_shortlist(case.shortlist(5), case.quantized, case.ids, case.tables[slice(0, 2)], k=2)
    narrow = BinaryCodes(case.quantized.packed[:, :2].copy(), 16)
    with pytest.raises(ShapeMismatch, match="for 32 bits, expected for 16 bits"):
        rerank_shortlist(case.shortlist(5), narrow, case.ids, case.tables, k=2)
