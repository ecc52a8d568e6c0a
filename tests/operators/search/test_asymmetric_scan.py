"""Exact asymmetric search: any split of the codes gives the order that sorting all distances gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from operators.kernels import asymmetric_nearest
from operators.kernels.asymmetric_nearest import AsymmetricNearest
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import PAD_ID, RankedNeighbors
from operators.search import asymmetric_scan, compiled_scan
from operators.search.allowed_rows import AllowedRows
from operators.search.asymmetric_scan import AsymmetricScan, warm_up_tables
from operators.search.block_scan import rank_nearest
from operators.search.merge_ranked import merge_ranked
from operators.search.scan_options import ScanOptions


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


def test_tables_for_another_width_are_refused() -> None:
    codes, tables = _case(5, 1, 0)
    with pytest.raises(ShapeMismatch, match="for 24 bits, expected for 16 bits"):
        AsymmetricScan(BinaryCodes(codes.packed[:, :2].copy(), 16), tables)


@given(
    num_codes=st.integers(1, 200),
    num_codebooks=st.integers(1, 9),
    k=st.integers(1, 220),
    share=st.sampled_from([None, 0.0, 0.1, 0.9]),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=80, deadline=None)
def test_the_compiled_scan_answers_as_numpy_does(
    num_codes: int, num_codebooks: int, k: int, share: float | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes = BinaryCodes(rng.integers(0, 5, (num_codes, num_codebooks), dtype=np.uint8), 8 * num_codebooks)
    tables = LookupTables(rng.normal(size=(3, num_codebooks, 256)).astype(np.float32))
    allowed = None if share is None else rng.random(num_codes) < share
    ids = np.sort(rng.choice(1000, num_codes, replace=False)).astype(np.int64)
    answers = []
    rows = None if allowed is None else AllowedRows.from_mask(allowed)
    for few_lookups, num_threads in ((0, 1), (0, 3), (2**62, 1)):
        options = ScanOptions(num_threads=num_threads, allowed=rows)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(asymmetric_scan, "_FEW_LOOKUPS", few_lookups)
            patched.setattr(asymmetric_scan, "_FEW_LOOKUPS_BEFORE_IMPORT", few_lookups)
            answers.append(rank_nearest(AsymmetricScan(codes, tables, options), ids, k=k))
    for name in ("distances", "ids", "counts"):
        for other in answers[1:]:
            np.testing.assert_array_equal(getattr(answers[0], name), getattr(other, name))
    if allowed is not None:
        assert set(answers[0].ids[answers[0].ids != PAD_ID]) <= set(ids[allowed])
        assert (answers[0].counts == min(k, allowed.sum())).all()


def test_a_warm_scan_compiles_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asymmetric_scan, "_FEW_LOOKUPS", 0)
    monkeypatch.setattr(asymmetric_scan, "_FEW_LOOKUPS_BEFORE_IMPORT", 0)
    warm_up_tables(24)
    feeds = asymmetric_nearest._feed_lookups, asymmetric_nearest._feed_sums
    before = [len(feed.signatures) for feed in feeds]  # type: ignore[attr-defined]
    assert max(before) == 1
    codes, tables = _case(3000, 2, 0)
    codes.packed.flags.writeable = False  # as in a mapped file
    allowed = AllowedRows.from_mask(np.arange(3000) % 3 > 0)
    rank_nearest(AsymmetricScan(codes, tables, ScanOptions(allowed=allowed)), np.arange(3000), k=50)
    assert [len(feed.signatures) for feed in feeds] == before  # type: ignore[attr-defined]


def test_many_queries_are_answered_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    codes = BinaryCodes(rng.integers(0, 256, (500, 2), dtype=np.uint8), 16)
    tables = LookupTables(rng.random((7, 2, 256), np.float32))
    expected = rank_nearest(AsymmetricScan(codes, tables), np.arange(500), k=9)
    monkeypatch.setattr(asymmetric_scan, "_FEW_LOOKUPS", 0)
    monkeypatch.setattr(asymmetric_scan, "_FEW_LOOKUPS_BEFORE_IMPORT", 0)
    monkeypatch.setattr(compiled_scan, "_STATE_BYTES", 3 * AsymmetricNearest.state_bytes(9, 2))
    found = rank_nearest(AsymmetricScan(codes, tables), np.arange(500), k=9)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.distances, expected.distances)


def test_a_filter_of_another_shape_is_refused() -> None:
    codes, tables = _case(5, 1, 0)
    with pytest.raises(ShapeMismatch, match="of 4 rows, expected of 5 codes"):
        AsymmetricScan(codes, tables, ScanOptions(allowed=AllowedRows.from_mask(np.ones(4, bool))))


def test_tables_whose_sums_overflow_are_refused() -> None:
    codes, tables = _case(5, 1, 0)
    values = tables.values.copy()
    values[0, 0, 7], values[0, 2, 1] = 3e38, -1e38
    with pytest.raises(ShapeMismatch, match="sums that float32 holds"):
        AsymmetricScan(codes, LookupTables(values))


def test_distances_of_two_kinds_do_not_merge() -> None:
    with pytest.raises(ShapeMismatch, match="one kind of distance"):
        merge_ranked([RankedNeighbors.empty(1, 2), RankedNeighbors.empty(1, 2, np.float32)], k=2)
