"""Codes sorted into buckets by some of their bits, and the pairs within a bucket that are near.

A *table* is one way to sort: a mask that says which bits count. Codes that agree in these bits share a bucket; codes
that do not may, where there are more values than buckets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.near_masks import CODES_PER_MASK, near_mask, popcount, trailing_zeros

Words = NDArray[np.uint64]
# Of wider codes so many words are compared 64 codes at a time, and the rest only of what these leave over.
FILTER_WORDS = 8

_TILE_WORDS = 4096
_LINE_WORDS = 8
_FEW_CODES = 12  # a mask of 64 costs as much as this many codes one by one
_PAIRS_PER_PLACE = 64.0  # what it costs to fetch a code, in pairs
_LEAST_FOUND = 1024
_ALL_BITS = np.uint64(2**64 - 1)
_ONE = np.uint64(1)
_HALF = np.uint64(32)
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Buckets(NamedTuple):
    """Codes `words` uint64 `(num_codes, num_words)` in buckets: those of bucket b are `order[starts[b]:starts[b + 1]]`,
    ascending positions. `starts`: uint32 or int64 `(num_buckets + 1,)`; `order`: uint32 or int64 `(num_codes,)`."""

    words: Words
    starts: NDArray[np.integer]
    order: NDArray[np.integer]


class NearSearch(NamedTuple):
    """What a pair must be: within `radius` bits, and alike in the bits of table `table` but in those of none before.

    `masks`: uint64 `(num_tables, num_words)`. `same`: both sides are one set, and a pair counts once. `width`: a tuple
    with one uint64 0 per word that `near_mask` reads.
    """

    radius: int
    masks: Words
    table: int
    same: bool
    width: tuple[np.uint64, ...]


class BitRuns(NamedTuple):
    """The set bits of a mask as runs within words: bits `shifts` to `shifts + lengths` of word `places`."""

    places: NDArray[np.int64]
    shifts: NDArray[np.uint64]
    lengths: NDArray[np.uint64]

    @classmethod
    def of(cls, mask: Words) -> BitRuns:
        """`mask`: uint64 `(num_words,)`."""
        bits = np.unpackbits(mask.view(np.uint8), bitorder="little").reshape(len(mask), 64).astype(np.int8)
        edges = np.diff(np.pad(bits, ((0, 0), (1, 1))), axis=1)
        places, shifts = np.nonzero(edges == 1)
        _, stops = np.nonzero(edges == -1)
        return cls(places.astype(np.int64), shifts.astype(np.uint64), (stops - shifts).astype(np.uint64))

    @property
    def num_bits(self) -> int:
        return int(self.lengths.sum())


def sort_into_buckets(words: Words, mask: Words, max_bucket_bits: int) -> Buckets:
    """Codes into `2 ** max_bucket_bits` buckets by the bits of `mask`, or fewer where it has fewer bits. Memory beside
    the codes: 12 bytes a code (20 from 2^32 codes on) and 12 a bucket."""
    runs = BitRuns.of(mask)
    bucket_bits = min(runs.num_bits, max_bucket_bits)
    numbers = np.empty(len(words), np.uint32)
    _number_buckets(words, runs, runs.num_bits <= max_bucket_bits, np.uint64(64 - bucket_bits), numbers)
    place_type: type[np.integer[Any]] = np.uint32 if len(words) < 2**32 else np.int64
    starts = np.zeros(2**bucket_bits + 1, place_type)
    order = np.empty(len(words), place_type)
    _order_by_bucket(numbers, starts, order)
    return Buckets(words, starts, order)


def keys_of(words: Words, mask: Words) -> NDArray[np.uint64]:
    """One number per code for the bits of `mask`, uint64 `(num_codes,)`: equal where those bits are, and but for a
    collision of hashes only there."""
    keys = np.empty(len(words), np.uint64)
    _number_buckets(words, BitRuns.of(mask), False, np.uint64(0), keys)
    return keys


def first_of_identical(buckets: Buckets) -> NDArray[np.int64]:
    """For each code the lowest position of a code that is identical, int64 `(num_codes,)`. The buckets must have been
    made with all bits. Time grows with the product of codes and different codes of a bucket."""
    first = np.arange(len(buckets.words))
    _find_identical(buckets, first)
    return first


@compiled
def _number_buckets(words: Any, runs: Any, is_exact: Any, shift: Any, numbers: Any) -> None:
    """The bits of the runs side by side where the buckets can tell them apart, else the upper bits of a hash."""
    for code in range(len(words)):
        key = np.uint64(0)
        for run in range(len(runs.places)):
            length = runs.lengths[run]
            bits = (words[code, runs.places[run]] >> runs.shifts[run]) & (_ALL_BITS >> (np.uint64(64) - length))
            key = key << length | bits if is_exact else (key ^ key >> _HALF ^ bits) * _MIX
        numbers[code] = key if is_exact else key >> shift


@compiled
def _order_by_bucket(numbers: Any, starts: Any, order: Any) -> None:
    for number in numbers:
        starts[number + 1] += 1
    for bucket in range(1, len(starts)):
        starts[bucket] += starts[bucket - 1]
    places = starts[:-1].copy()
    for code in range(len(numbers)):
        number = numbers[code]
        order[places[number]] = code
        places[number] += 1


@compiled
def _find_identical(buckets: Any, first: Any) -> None:
    different = np.empty(_LEAST_FOUND, np.int64)
    words, starts, order = buckets.words, buckets.starts, buckets.order
    for bucket in range(len(starts) - 1):
        begin, end = np.int64(starts[bucket]), np.int64(starts[bucket + 1])
        if end - begin < 2:
            continue
        num_different = 0
        for place in range(begin, end):
            code = np.int64(order[place])
            known = 0
            while known < num_different and not _is_identical(words, different[known], code):
                known += 1
            if known == num_different:
                if num_different == len(different):
                    longer = np.empty(2 * num_different, np.int64)
                    longer[:num_different] = different
                    different = longer
                different[num_different] = code
                num_different += 1
            first[code] = different[known]


@compiled
def _is_identical(words: Any, left: Any, right: Any) -> Any:
    word = 0
    while word < words.shape[1] and words[left, word] == words[right, word]:
        word += 1
    return word == words.shape[1]


def pieces_of_work(left: Buckets, right: Buckets, *, same: bool, most_pairs: int) -> NDArray[np.int64]:
    """Places of left, ascending from 0 to the number of its codes; from one to the next about `most_pairs` pairs are
    compared, whatever the sizes of buckets."""
    return np.array(_cut(left.starts, right.starts, same, float(most_pairs)))


@compiled
def _cut(starts: Any, other_starts: Any, same: Any, most_pairs: Any) -> Any:
    cuts, num_cuts, done = np.zeros(_LEAST_FOUND, np.int64), np.int64(1), 0.0
    for bucket in range(len(starts) - 1):
        place, stop = np.int64(starts[bucket]), np.int64(starts[bucket + 1])
        num_others = np.int64(other_starts[bucket + 1]) - np.int64(other_starts[bucket])
        pairs = _PAIRS_PER_PLACE + num_others * (0.5 if same else 1.0)
        while done + (stop - place) * pairs > most_pairs:
            place += np.int64(max((most_pairs - done) / pairs, 1.0))
            if num_cuts == len(cuts):
                longer = np.zeros(2 * num_cuts, np.int64)
                longer[:num_cuts] = cuts
                cuts = longer
            cuts[num_cuts] = place
            num_cuts, done = num_cuts + 1, 0.0
        done += (stop - place) * pairs
    ends = np.empty(num_cuts + 1, np.int64)
    ends[:num_cuts] = cuts[:num_cuts]
    ends[num_cuts] = starts[-1]
    return ends


def near_pairs_of_places(
    left: Buckets, right: Buckets, first_place: int, stop_place: int, search: NearSearch
) -> NDArray[np.int64]:
    """Every near pair of a code at `left.order[first_place:stop_place]` and one of its bucket in `right`, as int64
    `(num_found, 3)`: position in left, position in right, distance; in no order. With `search.same`, left and right are
    one and the pair's left position is the lower one. Other threads run meanwhile. Memory: what is near, and 32 KiB."""
    found: NDArray[np.int64] = _near_in_buckets(left, right, first_place, stop_place, search)
    num_kept: int = _keep_first_seen(left.words, right.words, found, search.masks, search.table)
    return np.array(found[:num_kept])


@compiled
def _near_in_buckets(left: Any, right: Any, first_place: Any, stop_place: Any, search: Any) -> Any:
    # Arrays as local names and few calls: numba counts references at each.
    words, others, order, other_order = left.words, right.words, left.order, right.order
    starts, other_starts, same, radius = left.starts, right.starts, search.same, search.radius
    found, num_found = np.empty((_LEAST_FOUND, 3), np.int64), np.int64(0)
    planes = _new_planes(len(search.width))
    bucket = np.searchsorted(starts, first_place, side="right") - 1
    place = first_place
    while place < stop_place:
        while starts[bucket + 1] <= place:
            bucket += 1
        stop = min(stop_place, np.int64(starts[bucket + 1]))
        begin, end = place + 1 if same else np.int64(other_starts[bucket]), np.int64(other_starts[bucket + 1])
        if end - begin >= _FEW_CODES:
            for start in range(begin, end, planes.shape[1]):
                span = (place, stop, start, min(start + planes.shape[1], end))
                found, num_found = _compare_tile(left, right, span, search, planes, (found, num_found))
            place = stop
        while place < stop:
            code = order[place]
            for other_place in range(max(begin, place + 1) if same else begin, end):
                other = other_order[other_place]
                distance = 0
                for word in range(words.shape[1]):
                    distance += popcount(words[code, word] ^ others[other, word])
                    if distance > radius:
                        break
                if distance <= radius:
                    found = _with_room(found, num_found)
                    found[num_found, 0], found[num_found, 1], found[num_found, 2] = code, other, distance
                    num_found += 1
            place += 1
    return found[:num_found]


@compiled
def _new_planes(num_words: Any) -> Any:
    """Planes `(num_words, codes of a tile)` from the start of a cache line on: such vectors are read at once."""
    tile = max(CODES_PER_MASK, _TILE_WORDS // num_words // CODES_PER_MASK * CODES_PER_MASK)
    spare = np.zeros(num_words * tile + _LINE_WORDS, np.uint64)
    skipped = (-spare.ctypes.data // 8) % _LINE_WORDS
    return spare[skipped : skipped + num_words * tile].reshape(num_words, tile)


@compiled
def _compare_tile(left: Any, right: Any, span: Any, search: Any, planes: Any, kept: Any) -> Any:
    """Codes `right.order[begin:end]` as planes, and every query of `left.order[place:stop]` against 64 at a time."""
    place, stop, begin, end = span
    found, num_found = kept
    words, others, order, other_order, same = left.words, right.words, left.order, right.order, search.same
    num_planes, tile = planes.shape
    for position in range(end - begin):
        code = other_order[begin + position]
        for word in range(num_planes):
            planes[word, position] = others[code, word]
    # Unsigned, sums with other numbers would be floats.
    address, asked, width = np.intp(planes.ctypes.data), np.intp(words.ctypes.data), search.width
    bound = min(search.radius, CODES_PER_MASK * num_planes) + 1
    for query in range(place, min(stop, end - 1) if same else stop):
        code = np.int64(order[query])
        first = max(query + 1 - begin, 0) if same else 0
        for block in range(first // CODES_PER_MASK * CODES_PER_MASK, end - begin, CODES_PER_MASK):
            mask = near_mask(address + 8 * block, tile, asked + 8 * words.shape[1] * code, bound, width)
            if block < first:
                mask &= _ALL_BITS << np.uint64(first - block)
            if block + CODES_PER_MASK > end - begin:
                mask &= (_ONE << np.uint64(end - begin - block)) - _ONE
            while mask != 0:
                other = np.int64(other_order[begin + block + trailing_zeros(mask)])
                mask &= mask - _ONE
                distance = 0
                for word in range(words.shape[1]):
                    distance += popcount(words[code, word] ^ others[other, word])
                if distance <= search.radius:
                    found = _with_room(found, num_found)
                    found[num_found, 0], found[num_found, 1], found[num_found, 2] = code, other, distance
                    num_found += 1
    return found, num_found


@compiled
def _with_room(found: Any, num_found: Any) -> Any:
    if num_found < len(found):
        return found
    longer = np.empty((2 * num_found, 3), np.int64)
    longer[:num_found] = found
    return longer


@compiled
def _keep_first_seen(words: Any, others: Any, found: Any, masks: Any, table: Any) -> Any:
    """Move up the pairs that agree in the bits of this table and in those of none before: an earlier table has the
    others, or (where a bucket holds several values) a later one will. How many these are."""
    num_kept = 0
    for place in range(len(found)):
        code, other = found[place, 0], found[place, 1]
        tried = 0
        while tried < table and not _agree(words, others, code, other, masks[tried]):
            tried += 1
        if tried == table and _agree(words, others, code, other, masks[table]):
            found[num_kept] = found[place]
            num_kept += 1
    return num_kept


@compiled
def _agree(words: Any, others: Any, code: Any, other: Any, mask: Any) -> Any:
    word = 0
    while word < len(mask) and (words[code, word] ^ others[other, word]) & mask[word] == 0:
        word += 1
    return word == len(mask)
