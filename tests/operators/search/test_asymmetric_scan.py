"""Exact asymmetric search: any split of the codes gives the order that sorting all distances gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import PAD_ID, RankedNeighbors
from operators.search.asymmetric_scan import AsymmetricScan, sortable_numbers, sorted_floats
from operators.search.block_scan import rank_nearest
from operators.search.merge_ranked import merge_ranked

_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def _case(num_codes: int, num_queries: int, seed: int) -> tuple[BinaryCodes, LookupTables]:
    rng = np.random.default_rng(seed)
    packed = rng.integers(0, 4, (num_codes, 3)).astype(np.uint8)  # few words: many ties
    values = rng.integers(-3, 4, (num_queries, 3, 256)).astype(np.float32) / np.float32(4)
    return BinaryCodes(packed, 24), LookupTables(values)


def _sorted_all(codes: BinaryCodes, tables: LookupTables, ids: np.ndarray) -> list[list[tuple[float, int]]]:
    """(distance, id) of every item, in order, by plain loops."""
    return [
        sorted(
            (sum(float(table[m, byte]) for m, byte in enumerate(code)), int(item))
            for code, item in zip(codes.packed.tolist(), ids, strict=True)
        )
        for table in tables.values
    ]


@given(
    num_codes=st.integers(0, 60),
    num_queries=st.integers(1, 4),
    k=st.integers(1, 70),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_any_split_merges_to_the_order_of_all(
    num_codes: int, num_queries: int, k: int, seed: int, data: st.DataObject
) -> None:
    codes, tables = _case(num_codes, num_queries, seed)
    ids = np.sort(np.random.default_rng(seed).choice(1000, num_codes, replace=False)).astype(np.int64)
    cut = data.draw(st.integers(0, num_codes))
    parts = [
        rank_nearest(AsymmetricScan(codes[rows], tables), ids[rows], k=k) for rows in (slice(0, cut), slice(cut, None))
    ]
    merged = merge_ranked(parts, k=k)
    assert merged.distances.dtype == np.float32
    for query, expected in enumerate(_sorted_all(codes, tables, ids)):
        distances, found = merged.row(query)
        assert list(zip(distances.tolist(), found.tolist(), strict=True)) == expected[:k]
    assert np.isinf(merged.distances[:, num_codes:]).all()
    assert (merged.ids[:, num_codes:] == PAD_ID).all()


@given(st.lists(_FLOATS, min_size=1, max_size=30))
def test_numbers_sort_as_floats_do(values: list[float]) -> None:
    floats = np.array(values, np.float32)
    numbers = sortable_numbers(floats)
    np.testing.assert_array_equal(sorted_floats(numbers.astype(np.int64)), floats)
    for left, left_number in zip(floats, numbers, strict=True):
        for right, right_number in zip(floats, numbers, strict=True):
            assert (left < right) == (left_number < right_number)


def test_tables_for_another_width_are_refused() -> None:
    codes, tables = _case(5, 1, 0)
    with pytest.raises(ShapeMismatch, match="for 24 bits, expected for 16 bits"):
        AsymmetricScan(BinaryCodes(codes.packed[:, :2].copy(), 16), tables)


def test_distances_of_two_kinds_do_not_merge() -> None:
    with pytest.raises(ShapeMismatch, match="one kind of distance"):
        merge_ranked([RankedNeighbors.empty(1, 2), RankedNeighbors.empty(1, 2, np.float32)], k=2)
