"""Flat search against bit loops and a full sort."""

from __future__ import annotations

import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, SearchCancelled, ShapeMismatch
from operators.ranked_neighbors import PAD_DISTANCE, PAD_ID
from operators.search import block_scan, compiled_scan, hamming_flat
from operators.search.allowed_rows import AllowedRows
from operators.search.hamming_flat import search_flat, search_radius
from operators.search.scan_options import ScanOptions
from tests.oracles import hamming_by_bits, rank_everything, rankings_of, same_answer


def tied_codes(rng: np.random.Generator, num_items: int, num_bits: int) -> BinaryCodes:
    """Few distinct codes, so that most distances tie."""
    distinct = rng.random((3, num_bits)) < 0.5
    return BinaryCodes.from_bits(distinct[rng.integers(0, 3, num_items)])


def sparse_ids(rng: np.random.Generator, num_items: int) -> np.ndarray:
    return np.sort(rng.choice(2**40, num_items, replace=False).astype(np.int64))


@settings(max_examples=60, deadline=None)
@given(
    num_bits=st.one_of(st.integers(1, 80), st.integers(1, 4096)),
    num_codes=st.integers(0, 40),
    k=st.integers(1, 50),
    seed=st.integers(0, 2**32),
)
def test_equals_oracle_with_ties(num_bits: int, num_codes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_codes = min(num_codes, 6) if num_bits > 100 else num_codes
    codes, queries, ids = tied_codes(rng, num_codes, num_bits), tied_codes(rng, 2, num_bits), sparse_ids(rng, num_codes)
    everything = rank_everything(codes, ids, queries, hamming_by_bits)
    answer = search_flat(codes, ids, queries, k=k)
    assert answer.k == k
    assert rankings_of(answer) == [ranking[:k] for ranking in everything]
    assert np.all(answer.distances[:, num_codes:] == PAD_DISTANCE)
    assert np.all(answer.ids[:, num_codes:] == PAD_ID)
    radius = int(rng.integers(0, num_bits + 1))
    within = [[pair for pair in ranking if pair[0] <= radius] for ranking in everything]
    assert rankings_of(search_radius(codes, ids, queries, radius=radius)) == within


def _with_numpy(patched: pytest.MonkeyPatch, use: bool) -> None:
    for name in ("_FEW_PAIRS", "_FEW_PAIRS_BEFORE_IMPORT"):
        patched.setattr(hamming_flat, name, 2**62 if use else -1)


@settings(max_examples=120, deadline=None)
@given(
    num_bits=st.one_of(st.integers(1, 140), st.sampled_from([256, 512, 4096])),
    num_codes=st.integers(0, 300),
    k=st.integers(1, 350),
    num_threads=st.sampled_from([1, 2, 3, 7]),
    share=st.sampled_from([None, 0.0, 0.3, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_compiled_scans_answer_as_numpy_does(
    num_bits: int, num_codes: int, k: int, num_threads: int, share: float | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes, queries, ids = tied_codes(rng, num_codes, num_bits), tied_codes(rng, 3, num_bits), sparse_ids(rng, num_codes)
    allowed = None if share is None else AllowedRows.from_mask(rng.random(num_codes) < share)
    radius = int(rng.integers(0, num_bits + 1))
    answers = []
    for use_numpy in (False, True):
        with pytest.MonkeyPatch.context() as patched:
            _with_numpy(patched, use_numpy)
            patched.setattr(compiled_scan, "_BLOCK_WORDS", 100)
            patched.setattr(compiled_scan, "_STATE_BYTES", int(rng.integers(1, 40_000)))
            options = ScanOptions(num_threads=1 if use_numpy else num_threads, allowed=allowed)
            answers.append(
                (
                    search_flat(codes, ids, queries, k=k, options=options),
                    search_radius(codes, ids, queries, radius=radius, options=options),
                )
            )
    for compiled, reference in zip(*answers, strict=True):
        assert same_answer(compiled, reference)


@settings(max_examples=60, deadline=None)
@given(num_codes=st.integers(0, 60), share=st.sampled_from([0.0, 0.5]), seed=st.integers(0, 2**32))
def test_what_is_not_allowed_never_answers(num_codes: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, queries, ids = tied_codes(rng, num_codes, 24), tied_codes(rng, 2, 24), sparse_ids(rng, num_codes)
    mask = rng.random(num_codes) < share
    kept = np.flatnonzero(mask)
    options = ScanOptions(allowed=AllowedRows.from_mask(mask))
    without = search_flat(codes[kept], ids[kept], queries, k=5)
    assert same_answer(search_flat(codes, ids, queries, k=5, options=options), without)
    within = search_radius(codes[kept], ids[kept], queries, radius=9)
    assert same_answer(search_radius(codes, ids, queries, radius=9, options=options), within)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_a_scan_ends_when_its_caller_says_so(monkeypatch: pytest.MonkeyPatch, num_threads: int) -> None:
    _with_numpy(monkeypatch, use=False)
    monkeypatch.setattr(compiled_scan, "_BLOCK_WORDS", 64)
    codes = tied_codes(np.random.default_rng(0), 6400, 64)
    asked: list[int] = []

    def after_five() -> bool:
        asked.append(1)
        return len(asked) > 5

    options = ScanOptions(num_threads=num_threads, cancelled=after_five)
    for search in (partial(search_flat, k=1), partial(search_radius, radius=1)):
        asked.clear()
        with pytest.raises(SearchCancelled, match="cancelled"):
            search(codes, np.arange(6400), codes[slice(0, 2)], options=options)
        assert len(asked) <= 5 + num_threads


@pytest.mark.parametrize("num_threads", [0, True, 1.5, 2000])
def test_refuses_bad_threads(num_threads: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"num_threads = .*whole number from 1"):
        ScanOptions(num_threads=num_threads)


def test_refuses_rows_of_another_block() -> None:
    codes = tied_codes(np.random.default_rng(0), 5, 16)
    options = ScanOptions(allowed=AllowedRows.from_mask(np.ones(6, bool)))
    with pytest.raises(ShapeMismatch, match="of 6 rows, expected of 5 codes"):
        search_flat(codes, np.arange(5), codes, k=1, options=options)


def test_answers_from_a_memory_mapped_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_numpy(monkeypatch, use=False)
    codes = tied_codes(np.random.default_rng(3), 500, 128)
    np.save(tmp_path / "codes.npy", codes.packed)
    mapped = BinaryCodes(np.load(tmp_path / "codes.npy", mmap_mode="r"), 128)
    queries, ids = codes[slice(0, 3)], np.arange(500)
    assert same_answer(search_flat(mapped, ids, queries, k=7), search_flat(codes, ids, queries, k=7))


@pytest.mark.parametrize("k", [1, 7, 900, 5000])
def test_many_blocks_equal_one_sort(monkeypatch: pytest.MonkeyPatch, k: int) -> None:
    monkeypatch.setattr(block_scan, "BLOCK_BYTES", 8 * 64 * 3)
    monkeypatch.setattr(block_scan, "_MIN_BLOCK_CODES", 64)
    rng = np.random.default_rng(5)
    codes = BinaryCodes.from_bits(rng.random((3000, 12)) < 0.5)
    queries = BinaryCodes.from_bits(rng.random((8, 12)) < 0.5)
    ids = sparse_ids(rng, 3000)
    every = (codes.to_bits()[None] != queries.to_bits()[:, None]).sum(axis=2)
    answer = search_flat(codes, ids, queries, k=k)
    for query in range(8):
        expected = sorted(zip(every[query].tolist(), ids.tolist(), strict=True))[:k]
        assert rankings_of(answer)[query] == expected
    within = search_radius(codes, ids, queries, radius=3)
    assert within.counts.tolist() == (every <= 3).sum(axis=1).tolist()


def test_no_queries() -> None:
    codes = tied_codes(np.random.default_rng(0), 5, 16)
    nothing = codes[slice(0, 0)]
    assert search_flat(codes, np.arange(5), nothing, k=3).distances.shape == (0, 3)
    assert search_radius(codes, np.arange(5), nothing, radius=3).num_queries == 0


def test_temporary_memory_keeps_to_the_budget() -> None:
    rng = np.random.default_rng(6)
    codes = BinaryCodes(rng.integers(0, 256, (200_000, 8), dtype=np.uint8), 64)
    queries = codes[slice(0, 64)]
    ids = np.arange(200_000)
    tracemalloc.start()
    search_flat(codes, ids, queries, k=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * block_scan.BLOCK_BYTES < 200_000 * 64 * 8


@pytest.mark.parametrize("k", [0, -1, True, 2.0, "5"])
def test_refuses_bad_k(k: Any) -> None:
    codes = tied_codes(np.random.default_rng(0), 5, 16)
    with pytest.raises(InvalidSetting, match=r"k = .*at least 1"):
        search_flat(codes, np.arange(5), codes, k=k)


@pytest.mark.parametrize("radius", [-1, False, 1.5])
def test_refuses_bad_radius(radius: Any) -> None:
    codes = tied_codes(np.random.default_rng(0), 5, 16)
    with pytest.raises(InvalidSetting, match="radius = "):
        search_radius(codes, np.arange(5), codes, radius=radius)


def test_refuses_another_width() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeMismatch, match="32 bits, expected 16 bits"):
        search_flat(tied_codes(rng, 5, 16), np.arange(5), tied_codes(rng, 1, 32), k=1)


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (np.arange(4), r"expected int64 \(5,\)"),
        (np.arange(5, dtype=np.int32), "int32"),
        (np.array([0, 1, 1, 2, 3]), "strictly ascending"),
        (np.array([0, 2, 1, 3, 4]), "strictly ascending"),
        (np.arange(-1, 4), "no negative id"),
    ],
)
def test_refuses_bad_ids(ids: np.ndarray, reason: str) -> None:
    codes = tied_codes(np.random.default_rng(0), 5, 16)
    with pytest.raises(ShapeMismatch, match=reason):
        search_flat(codes, ids, codes, k=1)
