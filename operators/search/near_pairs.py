"""All pairs of codes within a Hamming distance, exactly: the join that finds near duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.bucket_pairs import (
    FILTER_WORDS,
    Buckets,
    NearSearch,
    Words,
    first_of_identical,
    near_pairs_of_places,
    pieces_of_work,
    sort_into_buckets,
)
from operators.search.join_tables import JoinTables, choose_tables
from operators.search.pair_order import PairArrays, sort_pairs

# A quarter of a second or less: between such pieces of work Ctrl-C is noticed.
_PAIRS_AT_ONCE = 2**28
_MIN_BUCKET_BITS = 4
_MAX_BUCKET_BITS = 26


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Pairs of *different* codes within the radius, each code represented by the first item that has it, and which
    items have the same code.

    `left`, `right`: int64 `(num_pairs,)`, positions of items, sorted by (left, right); within one set left < right.
    `distances`: uint16 `(num_pairs,)`. `first`: int64 `(num_items,)`, for each item the lowest position that has its
    code (its own where it is the first). `first_right`: the same of the other set; None where a set is joined with
    itself. Between two sets, equal codes are a pair at distance 0.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    distances: NDArray[np.uint16]
    first: NDArray[np.int64]
    first_right: NDArray[np.int64] | None = None

    @property
    def num_item_pairs(self) -> int:
        """Pairs of items that `expand` would give, counted without making them."""
        here = np.bincount(self.first, minlength=len(self.first)).astype(object)
        there = here
        if self.first_right is not None:
            there = np.bincount(self.first_right, minlength=len(self.first_right)).astype(object)
        between = int((here[self.left] * there[self.right]).sum())
        within = 0 if self.first_right is not None else int((here * (here - 1) // 2).sum())
        return between + within

    def linked(self) -> PairArrays:
        """Left, right and distances, sorted by (left, right), of as few pairs of items as tell all.

        Within one set: the pairs of different codes, and each item whose code is not new with the first that has it, at
        distance 0. Between two sets: every item of the left set with the first of each code of the other.
        """
        if self.first_right is None:
            again = np.flatnonzero(self.first != np.arange(len(self.first)))
            left, right = np.concatenate([self.left, self.first[again]]), np.concatenate([self.right, again])
            distances = np.concatenate([self.distances, np.zeros(len(again), np.uint16)])
        else:
            starts = np.searchsorted(self.left, self.first)
            counts = np.searchsorted(self.left, self.first, side="right") - starts
            left = np.repeat(np.arange(len(self.first)), counts)
            pair = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts - starts, counts)
            right, distances = self.right[pair], self.distances[pair]
        return sort_pairs(left, right, distances)

    def expand(self) -> PairArrays:
        """Every pair of items within the radius: left, right and distances, sorted by (left, right).

        n items with one code make n (n - 1) / 2 pairs: look at `num_item_pairs` first. Memory: about 60 bytes a pair.
        """
        items, starts = _postings(self.first)
        other_items, other_starts = (items, starts) if self.first_right is None else _postings(self.first_right)
        left, right, distances = self.left, self.right, self.distances
        if self.first_right is None:
            alone = np.flatnonzero(np.diff(starts) > 1)
            left, right = np.concatenate([left, alone]), np.concatenate([right, alone])
            distances = np.concatenate([distances, np.zeros(len(alone), np.uint16)])
        num_left, num_right = np.diff(starts)[left], np.diff(other_starts)[right]
        counts = num_left * num_right
        pair = np.repeat(np.arange(len(left)), counts)
        within = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
        lower = items[starts[left[pair]] + within // num_right[pair]]
        upper = other_items[other_starts[right[pair]] + within % num_right[pair]]
        kept = np.ones(len(pair), bool)
        if self.first_right is None:
            kept = (left[pair] != right[pair]) | (lower < upper)
            lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
        lower, upper, expanded = lower[kept], upper[kept], distances[pair[kept]]
        return sort_pairs(lower, upper, expanded)

    def __repr__(self) -> str:
        return f"NearPairs(num_pairs={len(self.left)}, num_items={len(self.first)})"


def near_pairs(codes: BinaryCodes, *, radius: int, num_threads: int = 1) -> NearPairs:
    """All pairs of `codes` within `radius` bits (inclusive), each once.

    Identical codes are collapsed; the others meet in the buckets of `choose_tables`, where compiled code compares all
    pairs of a bucket. Where no table of at least 8 bits would help (a radius near an eighth of the width, or few codes)
    all pairs are compared. Memory beside the codes and the answer: some 30 bytes a code; 8 bytes a word more where
    codes repeat or do not fill words of 64 bits. The answer is the same for any `num_threads`.
    Raises `InvalidSetting` for a radius below 0 or not below the width, and for fewer threads than 1.
    """
    _check(codes.num_bits, radius, num_threads)
    words, first = _distinct(codes)
    tables = choose_tables(words, None, num_bits=8 * codes.packed.shape[1], radius=radius)
    found = _join(words, None, tables, radius, num_threads)
    left, right, distances = sort_pairs(*found.T)
    represented = _firsts(first)  # these ascend: pairs stay in order
    return NearPairs(represented[left], represented[right], distances, first)


def near_pairs_between(codes: BinaryCodes, others: BinaryCodes, *, radius: int, num_threads: int = 1) -> NearPairs:
    """All pairs of one of `codes` (left) and one of `others` (right) within `radius` bits, as `near_pairs`.

    Raises `ShapeMismatch` for two widths, and `InvalidSetting`.
    """
    if codes.num_bits != others.num_bits:
        raise ShapeMismatch("codes of the other set", f"{others.num_bits} bits", f"{codes.num_bits} bits")
    _check(codes.num_bits, radius, num_threads)
    (words, first), (other_words, other_first) = _distinct(codes), _distinct(others)
    tables = choose_tables(words, other_words, num_bits=8 * codes.packed.shape[1], radius=radius)
    found = _join(words, other_words, tables, radius, num_threads)
    left, right, distances = sort_pairs(*found.T)
    return NearPairs(_firsts(first)[left], _firsts(other_first)[right], distances, first, other_first)


def check_radius(radius: int, num_bits: int) -> None:
    """Raises `InvalidSetting` unless `radius` is a whole number from 0 to `num_bits` - 1 (a bool is none)."""
    most = min(num_bits - 1, np.iinfo(np.uint16).max)
    if isinstance(radius, bool) or not isinstance(radius, int | np.integer) or not 0 <= radius <= most:
        raise InvalidSetting("radius", repr(radius), f"a whole number from 0 to {most} for {num_bits} bits")


def _check(num_bits: int, radius: int, num_threads: int) -> None:
    check_radius(radius, num_bits)
    if isinstance(num_threads, bool) or not isinstance(num_threads, int) or num_threads < 1:
        raise InvalidSetting("num_threads", repr(num_threads), "a whole number of at least 1")


def first_items(codes: BinaryCodes) -> NDArray[np.int64]:
    """For each item the lowest position of an item with the same code, int64 `(num_items,)`."""
    return _first_of_each(_long_words(codes.packed))


def _first_of_each(words: Words) -> NDArray[np.int64]:
    every_bit = np.full(words.shape[1], np.iinfo(np.uint64).max)
    return first_of_identical(sort_into_buckets(words, every_bit, _bucket_bits(len(words))))


def _distinct(codes: BinaryCodes) -> tuple[Words, NDArray[np.int64]]:
    """The different codes as words, in the order of their first items, and for each item the first with its code."""
    words = _long_words(codes.packed)
    first = _first_of_each(words)
    is_first = first == np.arange(len(first))
    return (words if np.all(is_first) else words[is_first]), first


def _long_words(packed: NDArray[np.uint8]) -> Words:
    """uint64 `(num_items, num_words)`, missing bytes zero; a view of the codes where they fill their words."""
    missing = -packed.shape[1] % 8
    padded = np.pad(packed, ((0, 0), (0, missing))) if missing else packed
    return np.ascontiguousarray(padded).view(np.uint64)


def _bucket_bits(num_codes: int) -> int:
    """About as many buckets as codes: more would not fit the caches better, fewer would mix codes."""
    return min(max(num_codes.bit_length() - 1, _MIN_BUCKET_BITS), _MAX_BUCKET_BITS)


def _join(left: Words, right: Words | None, tables: JoinTables, radius: int, num_threads: int) -> NDArray[np.int64]:
    """int64 `(num_found, 3)`: rows of left, rows of right, distance; each pair once, in no order."""
    found = [np.empty((0, 3), np.int64)]
    width = (np.uint64(0),) * min(left.shape[1], FILTER_WORDS)
    same = right is None
    with ThreadPoolExecutor(num_threads, thread_name_prefix="join") as executor:
        run_all = map if num_threads == 1 else executor.map
        for table, (here, there) in enumerate(
            _tables(left, right, tables.masks, executor if num_threads > 1 else None)
        ):
            places = pieces_of_work(here, there, same=same, most_pairs=_PAIRS_AT_ONCE).tolist()
            search = NearSearch(int(radius), tables.masks, table, same, width)
            found.extend(run_all(partial(near_pairs_of_places, here, there, search=search), places[:-1], places[1:]))
    return np.concatenate(found)


def _tables(
    left: Words, right: Words | None, masks: Words, executor: ThreadPoolExecutor | None
) -> Iterator[tuple[Buckets, Buckets]]:
    """Both sides in buckets, table by table. With an executor the next table is sorted while one is compared."""
    bucket_bits = _bucket_bits(max(len(left), 0 if right is None else len(right)))

    def sort(mask: Words) -> tuple[Buckets, Buckets]:
        here = sort_into_buckets(left, mask, bucket_bits)
        return here, here if right is None else sort_into_buckets(right, mask, bucket_bits)

    if executor is None:
        yield from map(sort, masks)
        return
    ahead = executor.submit(sort, masks[0])
    for mask in masks[1:]:
        ready, ahead = ahead.result(), executor.submit(sort, mask)
        yield ready
    yield ahead.result()


def _firsts(first: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(first == np.arange(len(first)))


def _postings(first: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items in the order of their code's first item, and where those of each position start, `(num_items + 1,)`."""
    items = np.argsort(first, kind="stable")
    return items, np.concatenate([[0], np.cumsum(np.bincount(first, minlength=len(first)))])
