"""Approximate search: what it finds is right, it finds all where it looks at all, and only its own bytes come back."""

import logging
import sys

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.search import faiss_binary
from operators.search.allowed_rows import AllowedRows
from operators.search.approximate_audit import AuditSettings
from operators.search.faiss_binary import FaissBinary
from operators.search.faiss_index_kinds import BinaryHnsw, BinaryIvf, FaissIndexKind
from operators.search.hamming_flat import search_flat
from operators.search.scan_options import ScanOptions

_EVERY_LIST = BinaryIvf(num_lists=2, num_probes=2)
_WIDE_GRAPH = BinaryHnsw(num_links=16, ef_construction=64, ef_search=400)
_KINDS: list[FaissIndexKind] = [_EVERY_LIST, _WIDE_GRAPH]
_SMALL_AUDIT = AuditSettings(num_queries=5, k=3)


def _codes(num_items: int, num_distinct: int, num_bits: int = 24, seed: int = 0) -> BinaryCodes:
    rng = np.random.default_rng(seed)
    distinct = rng.integers(0, 256, (num_distinct, num_bits // 8), dtype=np.uint8)
    distinct[:, 0], distinct[:, 1] = np.divmod(np.arange(num_distinct), 256)
    return BinaryCodes(distinct[rng.permutation(np.arange(num_items) % num_distinct)], num_bits)


def _ids(num_items: int) -> np.ndarray:
    return np.arange(num_items, dtype=np.int64) * 3 + 5


def _same(left: object, right: object) -> None:
    for name in ("distances", "ids", "counts"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(_KINDS),
    num_distinct=st.integers(2, 60),
    num_repeats=st.integers(1, 4),
    k=st.integers(1, 80),
    share=st.sampled_from([None, 0.0, 0.1, 0.7]),
    seed=st.integers(0, 2**32),
)
def test_looking_at_every_code_gives_distances_of_the_exact_scan(
    kind: FaissIndexKind, num_distinct: int, num_repeats: int, k: int, share: float | None, seed: int
) -> None:
    codes = _codes(num_distinct * num_repeats, num_distinct, seed=seed)
    queries, ids = _codes(3, 3, seed=seed + 1), _ids(len(codes))
    mask = np.random.default_rng(seed).random(len(codes)) < (1 if share is None else share)
    allowed = None if share is None else AllowedRows.from_mask(mask)
    exact = search_flat(codes, ids, queries, k=k, options=ScanOptions(allowed=allowed))
    index = FaissBinary.build(codes, kind, _SMALL_AUDIT)
    found = index.search(queries, ids, k=k, allowed=allowed)
    np.testing.assert_array_equal(found.distances, exact.distances)
    np.testing.assert_array_equal(found.counts, exact.counts)
    if k >= len(codes):
        _same(found, exact)  # nothing was cut off within a tie
    for query in range(3):
        bits, items = found.row(query)
        rows = (items - 5) // 3
        assert mask[rows].all()
        own = (queries[slice(query, query + 1)].to_bits() != codes[rows].to_bits()).sum(axis=1)
        np.testing.assert_array_equal(own, bits)
    assert index.audit.recall == index.audit.self_recall == 1
    _same(
        FaissBinary.from_arrays(index.to_arrays(), kind=kind.kind, num_bits=24).search(queries, ids, k=k),
        index.search(queries, ids, k=k),
    )


def test_few_probes_find_less_and_the_audit_says_so() -> None:
    codes = BinaryCodes(np.random.default_rng(0).integers(0, 256, (3000, 8), dtype=np.uint8), 64)
    audits = [FaissBinary.build(codes, BinaryIvf(num_lists=64, num_probes=n)).audit for n in (1, 16, 64)]
    assert audits[0].recall < audits[1].recall < audits[2].recall == 1
    assert audits[0].self_recall == 1


@pytest.mark.parametrize("kind", _KINDS)
def test_duplicates_are_collapsed_with_a_warning(kind: FaissIndexKind, caplog: pytest.LogCaptureFixture) -> None:
    codes = _codes(200, 100)
    with caplog.at_level(logging.WARNING, faiss_binary.__name__):
        index = FaissBinary.build(codes, kind, _SMALL_AUDIT)
    assert "50.0 % of 200 codes are duplicates: collapsed to 100 distinct codes" in caplog.text
    assert index.index.ntotal == 100
    assert index.audit.duplicate_share == 0.5
    found = index.search(codes, _ids(200), k=2)
    assert (found.distances == 0).all()
    assert all(_ids(200)[row] in found.ids[row] for row in range(200))


def test_a_graph_without_duplicates_finds_what_one_with_them_misses() -> None:
    rng = np.random.default_rng(0)
    packed = rng.integers(0, 256, (5000, 8), dtype=np.uint8)
    packed[:1000] = packed[rng.integers(0, 10, 1000)]
    codes, kind = BinaryCodes(packed[rng.permutation(5000)], 64), BinaryHnsw(num_links=16, ef_construction=40)
    with_duplicates = kind.new_index(faiss, codes)
    queries = codes[slice(0, 500)]
    assert kind.prepare(faiss, with_duplicates)
    assert (with_duplicates.search(queries.packed, 10)[0][:, 0] > 0).mean() > 0.02
    index = FaissBinary.build(codes, kind, AuditSettings(num_queries=500))
    assert index.audit.self_recall == 1
    assert (index.search(queries, _ids(5000), k=10).distances[:, 0] == 0).all()


def test_few_duplicates_are_collapsed_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, faiss_binary.__name__):
        assert FaissBinary.build(_codes(103, 100), _EVERY_LIST, _SMALL_AUDIT).index.ntotal == 100
    assert not caplog.text


def test_the_same_codes_give_the_same_bytes() -> None:
    codes = _codes(300, 300)
    for kind in _KINDS:
        left, right = (FaissBinary.build(codes, kind, _SMALL_AUDIT).to_arrays() for _ in range(2))
        assert left["index"].tobytes() == right["index"].tobytes()


def test_no_other_index_is_read() -> None:
    built = FaissBinary.build(_codes(50, 50), _EVERY_LIST, _SMALL_AUDIT)
    arrays = built.to_arrays()
    with pytest.raises(ShapeMismatch, match=r"'binary_ivf'.*expected .*'binary_hnsw'"):
        FaissBinary.from_arrays(arrays, kind="binary_hnsw", num_bits=24)
    with pytest.raises(ShapeMismatch, match=r"'num_bits': 24.*expected .*'num_bits': 32"):
        FaissBinary.from_arrays({**arrays, "codes": np.zeros((50, 4), np.uint8)}, kind="binary_ivf", num_bits=32)
    other = FaissBinary.build(_codes(50, 49), _EVERY_LIST, _SMALL_AUDIT).to_arrays()
    with pytest.raises(ShapeMismatch, match=r"'num_codes': 50.*expected .*'num_codes': 49"):
        FaissBinary.from_arrays({**other, "index": arrays["index"]}, kind="binary_ivf", num_bits=24)
    changed = arrays["index"].copy()
    changed[-5] ^= 1
    with pytest.raises(ShapeMismatch, match="sha256"):
        FaissBinary.from_arrays({**arrays, "index": changed}, kind="binary_ivf", num_bits=24)


def test_bad_asking_is_refused() -> None:
    index = FaissBinary.build(_codes(50, 50), _EVERY_LIST, _SMALL_AUDIT)
    with pytest.raises(ShapeMismatch, match="32 bits, expected 24 bits"):
        index.search(_codes(1, 1, 32), _ids(50), k=1)
    with pytest.raises(InvalidSetting, match="k = 0"):
        index.search(_codes(1, 1), _ids(50), k=0)
    with pytest.raises(ShapeMismatch, match=r"int64 \(50,\)"):
        index.search(_codes(1, 1), _ids(49), k=1)
    with pytest.raises(ShapeMismatch, match="of 3 rows, expected of 50 items"):
        index.search(_codes(1, 1), _ids(50), k=1, allowed=AllowedRows.from_mask(np.ones(3, bool)))


def test_codes_that_faiss_cannot_hold_are_refused() -> None:
    for codes in (BinaryCodes.from_bits(np.ones((5, 12), bool)), _codes(5, 5)[slice(0, 0)]):
        with pytest.raises(ShapeMismatch, match="a multiple of 8 bits"):
            FaissBinary.build(codes, _EVERY_LIST)


def test_without_faiss_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InvalidSetting, match=r"binary_hnsw: expected .*bitquarry\[faiss\]"):
        FaissBinary.build(_codes(5, 5), BinaryHnsw())
