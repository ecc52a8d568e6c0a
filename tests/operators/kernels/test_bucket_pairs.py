"""Buckets and the pairs within them, each against numpy or two loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from operators.kernels.bucket_pairs import (
    FILTER_WORDS,
    BitRuns,
    NearSearch,
    Words,
    first_of_identical,
    keys_of,
    near_pairs_of_places,
    pieces_of_work,
    sort_into_buckets,
)

EVERY_BIT = np.uint64(2**64 - 1)


def random_words(num_codes: int, num_words: int, *, seed: int, num_values: int = 2**63) -> Words:
    return np.random.default_rng(seed).integers(0, num_values, (num_codes, num_words), dtype=np.uint64)


def test_more_pairs_than_there_is_room_for_at_first() -> None:
    words = random_words(100, 1, seed=8, num_values=8)
    buckets = sort_into_buckets(words, mask_of(0), 4)
    found = near_pairs_of_places(buckets, buckets, 0, 100, NearSearch(3, mask_of(0)[None], 0, True, (np.uint64(0),)))
    assert len(np.unique(found[:, :2], axis=0)) == len(found) == 100 * 99 // 2


def mask_of(*words: int) -> Words:
    return np.array(words, np.uint64)


def test_runs_of_a_mask() -> None:
    runs = BitRuns.of(mask_of(0b1011 << 60, 0, 2**64 - 1, 1))
    found = list(zip(runs.places.tolist(), runs.shifts.tolist(), runs.lengths.tolist(), strict=True))
    assert found == [(0, 60, 2), (0, 63, 1), (2, 0, 64), (3, 0, 1)]
    assert runs.num_bits == 68


@pytest.mark.parametrize("mask", [mask_of(0), mask_of(0b111), mask_of(0xF0000000000000F0), mask_of(2**64 - 1)])
@pytest.mark.parametrize("max_bucket_bits", [4, 9])
def test_codes_with_equal_bits_share_a_bucket(mask: Words, max_bucket_bits: int) -> None:
    words = random_words(500, 1, seed=1)
    words[::3] = words[0]
    buckets = sort_into_buckets(words, mask, max_bucket_bits)
    starts = buckets.starts.astype(np.int64)
    sizes = starts[1:] - starts[:-1]
    assert sorted(buckets.order.tolist()) == list(range(500))
    assert buckets.starts[-1] == 500
    assert len(sizes) == 2 ** min(max_bucket_bits, int(np.bitwise_count(mask[0])))
    number = np.empty(500, np.int64)
    number[buckets.order] = np.repeat(np.arange(len(sizes)), sizes)
    _, values = np.unique(words[:, 0] & mask[0], return_inverse=True)
    assert all(len(np.unique(number[values == value])) == 1 for value in np.unique(values))
    falling = np.flatnonzero(np.diff(buckets.order.astype(np.int64)) < 0) + 1
    assert np.all(np.isin(falling, buckets.starts)), "positions of a bucket ascend"


def test_keys_tell_values_of_several_words_apart() -> None:
    words = random_words(400, 3, seed=2, num_values=4)
    mask = mask_of(0b01, 0b11, 0b10)
    keys = keys_of(words, mask)
    _, expected = np.unique(words & mask, axis=0, return_inverse=True)
    assert np.array_equal(keys[:, None] == keys[None], expected.ravel()[:, None] == expected.ravel()[None])


@pytest.mark.parametrize(("num_codes", "num_values"), [(0, 5), (1, 5), (3000, 5), (3000, 2**63)])
def test_first_of_identical(num_codes: int, num_values: int) -> None:
    """Two buckets hold all codes: more different codes than there is room for at first."""
    words = random_words(num_codes, 2, seed=3, num_values=num_values)
    first = first_of_identical(sort_into_buckets(words, np.full(2, EVERY_BIT), 1))
    seen: dict[bytes, int] = {}
    assert first.tolist() == [seen.setdefault(code.tobytes(), place) for place, code in enumerate(words)]


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("most_pairs", [70, 1000, 10**9])
def test_pieces_of_work_cover_all_places(same: bool, most_pairs: int) -> None:
    words = random_words(5000, 1, seed=4, num_values=6)
    buckets = sort_into_buckets(words, mask_of(7), 3)
    places = pieces_of_work(buckets, buckets, same=same, most_pairs=most_pairs)
    assert (places[0], places[-1]) == (0, 5000)
    assert np.all(np.diff(places) >= 0)
    assert len(places) == 2 if most_pairs == 10**9 else len(places) > 100


@pytest.mark.parametrize("num_words", [1, 2, FILTER_WORDS + 1])
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("num_codes", [7, 40, 700])
def test_near_pairs_of_all_pieces(num_words: int, same: bool, num_codes: int) -> None:
    """Few codes go one by one, many 64 at a time; the last word tells codes apart that the first ones do not."""
    words = random_words(num_codes, num_words, seed=5, num_values=4)
    words[:, -1] = random_words(num_codes, 1, seed=6, num_values=2**5)[:, 0]
    others = words if same else random_words(num_codes + 3, num_words, seed=7, num_values=4)
    masks = np.zeros((2, num_words), np.uint64)
    masks[:, 0] = 1, 2
    width = (np.uint64(0),) * min(num_words, FILTER_WORDS)
    found: list[tuple[int, ...]] = []
    for table, mask in enumerate(masks):
        here, there = sort_into_buckets(words, mask, 1), sort_into_buckets(others, mask, 1)
        there = here if same else there
        search = NearSearch(4, masks, table, same, width)
        places = pieces_of_work(here, there, same=same, most_pairs=2000).tolist()
        for start, stop in itertools.pairwise(places):
            found.extend(map(tuple, near_pairs_of_places(here, there, start, stop, search).tolist()))
    distances = np.bitwise_count(words[:, None] ^ others[None]).sum(axis=2, dtype=np.int64)
    agree = np.any(((words[:, None] ^ others[None])[:, :, :1] & np.array([1, 2], np.uint64)) == 0, axis=2)
    wanted = (distances <= 4) & agree
    if same:
        wanted = np.triu(wanted, 1)
    left, right = np.nonzero(wanted)
    assert sorted(found) == list(zip(left.tolist(), right.tolist(), distances[wanted].tolist(), strict=True))
    assert num_codes < 700 or len(found) > 700
