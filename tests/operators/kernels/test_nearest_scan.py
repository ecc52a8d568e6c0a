"""The compiled scan against a full sort: widths, ties, cuts into blocks, bitmaps, bounds handed in."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.nearest_scan import NO_KEY, NearestScan
from operators.kernels.smallest_k import split_keys

Ranking = list[tuple[int, int]]
_WIDTHS = [
    (np.uint8, 1),
    (np.uint16, 1),
    (np.uint32, 1),
    *((np.uint64, num_words) for num_words in (1, 2, 3, 4, 8, 13, 64)),
]


def _tied_words(rng: np.random.Generator, num_items: int, num_words: int, dtype: type = np.uint64) -> np.ndarray:
    """Words `(num_items, num_words)` near each other, many of them equal."""
    num_bits = 8 * np.dtype(dtype).itemsize
    distinct = rng.integers(0, 2**num_bits, (4, num_words), dtype=dtype)
    flips = dtype(1) << rng.integers(0, num_bits, (num_items, num_words), dtype=dtype)
    words: np.ndarray = distinct[rng.integers(0, 4, num_items)]
    return np.where(rng.random((num_items, num_words)) < 0.3, words ^ flips, words)


def _sorted(codes: np.ndarray, query: np.ndarray, allowed: np.ndarray, below: int) -> Ranking:
    distances = np.bitwise_count(codes ^ query).sum(axis=1, dtype=int)
    pairs = [(int(distance), place) for place, distance in enumerate(distances) if allowed[place] and distance < below]
    return sorted(pairs)


def _rankings(scan: NearestScan) -> list[Ranking]:
    keys, counts = scan.sorted_keys()
    distances, positions = split_keys(keys)
    assert np.all((keys == NO_KEY) == (np.arange(keys.shape[1])[None, :] >= counts[:, None]))
    return [
        list(zip(row[:count].tolist(), places[:count].tolist(), strict=True))
        for row, places, count in zip(distances, positions, counts, strict=True)
    ]


def _bitmap(allowed: np.ndarray) -> np.ndarray:
    padded = np.zeros(-(-len(allowed) // 64) * 64, bool)
    padded[: len(allowed)] = allowed
    return np.packbits(padded, bitorder="little").view("<u8").astype(np.uint64)


def _feed_in_blocks(scan: NearestScan, codes: np.ndarray, cuts: list[int], allowed: np.ndarray | None) -> None:
    for start, stop in zip([0, *cuts], [*cuts, len(codes)], strict=True):
        scan.feed(codes[start:stop], start, None if allowed is None else _bitmap(allowed[start:stop]))


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    width=st.sampled_from(_WIDTHS),
    num_codes=st.integers(0, 400),
    k=st.integers(1, 450),
    seed=st.integers(0, 2**32),
)
def test_equals_a_full_sort(data: st.DataObject, width: tuple[type, int], num_codes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dtype, num_words = width
    num_bits = 8 * np.dtype(dtype).itemsize * num_words
    codes, queries = _tied_words(rng, num_codes, num_words, dtype), _tied_words(rng, 3, num_words, dtype)
    below = data.draw(st.sampled_from([None, 0, 1, 20, num_bits + 1]))
    chance = data.draw(st.sampled_from([None, 0.0, 0.5, 1.0]))
    allowed = None if chance is None else rng.random(num_codes) < chance
    cuts = sorted(data.draw(st.lists(st.integers(0, num_codes), max_size=3)))
    scan = NearestScan(queries, k=k, num_bits=num_bits, below=below)
    _feed_in_blocks(scan, codes, cuts, allowed)
    everything = np.ones(num_codes, bool) if allowed is None else allowed
    limit = num_bits + 1 if below is None else below
    assert _rankings(scan) == [_sorted(codes, query, everything, limit)[:k] for query in queries]


@pytest.mark.parametrize("k", [1, 10, 3000])
def test_ever_nearer_codes_push_the_others_out(k: int) -> None:
    """The worst case: nearly every code enters, and the room for entries overflows again and again."""
    rng = np.random.default_rng(0)
    num_codes = 9000
    num_set = 64 - np.arange(num_codes) * 64 // num_codes
    codes = np.array([(1 << int(bits)) - 1 for bits in num_set], dtype=np.uint64)[:, None]
    query = np.zeros((1, 1), np.uint64)
    scan = NearestScan(query, k=k, num_bits=64)
    _feed_in_blocks(scan, codes, sorted(rng.integers(0, num_codes, 5).tolist()), None)
    assert _rankings(scan) == [_sorted(codes, query[0], np.ones(num_codes, bool), 65)[:k]]


def test_many_codes_and_queries_in_threads_at_once() -> None:
    rng = np.random.default_rng(1)
    codes, queries = rng.integers(0, 2**64, (40_000, 1), dtype=np.uint64), rng.integers(0, 2**64, (5, 1), np.uint64)
    scans = [NearestScan(queries, k=20, num_bits=64) for _ in range(3)]
    threads = [threading.Thread(target=scan.feed, args=(codes, 0)) for scan in scans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    expected = [_sorted(codes, query, np.ones(len(codes), bool), 65)[:20] for query in queries]
    assert [_rankings(scan) for scan in scans] == [expected] * 3
