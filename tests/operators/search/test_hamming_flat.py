"""Flat search against bit loops and a full sort."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.ranked_neighbors import PAD_DISTANCE, PAD_ID
from operators.search import block_scan, hamming_flat
from operators.search.hamming_flat import search_flat, search_radius
from tests.oracles import hamming_by_bits, rank_everything, rankings_of


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


@settings(max_examples=80, deadline=None)
@given(
    num_bits=st.one_of(st.integers(1, 140), st.sampled_from([256, 512, 4096])),
    num_codes=st.integers(1, 300),
    k=st.integers(1, 350),
    seed=st.integers(0, 2**32),
)
def test_the_compiled_scan_answers_as_numpy_does(num_bits: int, num_codes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, queries, ids = tied_codes(rng, num_codes, num_bits), tied_codes(rng, 3, num_bits), sparse_ids(rng, num_codes)
    answers = []
    for few_pairs in (0, 2**62):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(hamming_flat, "_FEW_PAIRS", few_pairs)
            patched.setattr(hamming_flat, "_FEW_PAIRS_BEFORE_IMPORT", few_pairs)
            patched.setattr(hamming_flat, "_BLOCK_WORDS", 100)
            answers.append(search_flat(codes, ids, queries, k=k))
    for name in ("distances", "ids", "counts"):
        np.testing.assert_array_equal(getattr(answers[0], name), getattr(answers[1], name))


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
