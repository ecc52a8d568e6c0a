"""The search of multi-index hashing: look into the buckets whose key is close to a query's, nearest keys first.

Norouzi, Punjani, Fleet: "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012). A code of m chunks that
is within r of the query is within floor(r / m) in one of the first r mod m + 1 chunks, or within floor(r / m) - 1 in
one of the others. So step t looks at chunk t mod m, at keys that differ in exactly floor(t / m) bits, and after step t
every code within t has been met, whatever the sizes of the chunks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.bucket_tables import Positions
from operators.kernels.code_chunks import chunk_value
from operators.kernels.compiled import compiled
from operators.kernels.hamming_numpy import Words
from operators.kernels.near_masks import popcount, trailing_zeros
from operators.kernels.prefetch import prefetch
from operators.kernels.smallest_k import POSITION_BITS

PROBED, TOO_COSTLY, BROKEN_TABLES = 0, 1, 2
OUTCOME, NUM_ANSWERS, NUM_PROBES, NUM_CANDIDATES = 0, 1, 2, 3
_BOUND, _NUM_WITHIN, _NUM_KEYS = 4, 5, 6
NUM_NUMBERS = 7
_LEAST_KEYS = 1024
_BATCH_BUCKETS, _BATCH_CANDIDATES = 128, 512
_POSITION_MASK = (1 << POSITION_BITS) - 1


class ProbedTables(NamedTuple):
    """Codes and the tables over them, as `MultiIndexTables` describes them. `bucket_bases`: where the offsets of each
    chunk start in `bucket_offsets`."""

    words: Words
    chunk_starts: NDArray[np.int64]
    chunk_bits: NDArray[np.int64]
    bucket_bases: NDArray[np.int64]
    bucket_offsets: Positions
    bucket_items: Positions
    repeated_firsts: Positions
    repeat_offsets: Positions
    repeats: Positions


class ProbingLimits(NamedTuple):
    """At most `k` answers, all within `radius`; and what a query may cost in seconds before it is given up."""

    k: int
    radius: int
    num_bits: int
    budget_seconds: float
    probe_seconds: float
    candidate_seconds: float


@compiled
def probe_queries(tables: Any, queries: Any, allowed: Any, limits: Any) -> Any:
    """Answers of all `queries`, which are `unpadded_words`. `allowed`: `AllowedRows.words`, or empty for all rows.

    Returns int64 `distance << POSITION_BITS | position`, one query after the other, where the `k` smallest of a query
    are its answers; and int64 `(num_queries, 7)`, whose columns `OUTCOME`, `NUM_ANSWERS`, `NUM_PROBES` and
    `NUM_CANDIDATES` say what was done. A query that is `TOO_COSTLY` has no answers.
    """
    numbers = np.zeros((len(queries), NUM_NUMBERS), np.int64)
    answers, num_answers = np.empty(_LEAST_KEYS, np.int64), 0
    keys = np.empty(_LEAST_KEYS, np.int64)
    counts = np.zeros(limits.num_bits + 1, np.int64)
    values = np.zeros(len(tables.chunk_bits), np.int64)
    starts, ends = np.empty(_BATCH_BUCKETS, np.int64), np.empty(_BATCH_BUCKETS, np.int64)
    candidates = np.empty(_BATCH_CANDIDATES, np.int64)
    for query in range(len(queries)):
        state = (numbers[query], counts, values, starts, ends, candidates)
        counts[:] = 0
        keys = _probe(tables, queries[query : query + 1], allowed, limits, state, keys)
        if numbers[query, OUTCOME] == PROBED:
            found = (keys, answers, num_answers)
            answers = _append_answers(tables, allowed, limits.k, numbers[query], found)
            num_answers += numbers[query, NUM_ANSWERS]
    return answers[:num_answers], numbers


@compiled
def _probe(tables: Any, query: Any, allowed: Any, limits: Any, state: Any, keys: Any) -> Any:
    """One query: step by step until everything within the bound has been met. Returns the keys of what was found."""
    numbers, values = state[0], state[2]
    num_chunks = len(values)
    for chunk in range(num_chunks):
        values[chunk] = chunk_value(query, 0, tables.chunk_starts[chunk], tables.chunk_bits[chunk])
    numbers[_BOUND] = min(limits.radius, limits.num_bits)
    step, num_distinct = 0, tables.bucket_items.shape[1]
    while step <= numbers[_BOUND] and numbers[OUTCOME] == PROBED:
        level, chunk = divmod(step, num_chunks)
        step += 1
        num_bits = tables.chunk_bits[chunk]
        if level > num_bits:
            continue
        probes, bucket_size = _num_choices(num_bits, level), num_distinct / (1 << num_bits)
        if _spent(numbers, limits) + probes * (limits.probe_seconds + bucket_size * limits.candidate_seconds) > (
            limits.budget_seconds
        ):
            numbers[OUTCOME] = TOO_COSTLY
        else:
            keys = _probe_level((chunk, level), tables, query, (allowed, limits), state, keys)
    return keys


@compiled
def _probe_level(place: Any, tables: Any, query: Any, asked: Any, state: Any, keys: Any) -> Any:
    """Every bucket of one chunk whose key differs from the query's in exactly `level` bits.

    Many buckets are looked up, then their items, then the codes of these, and what comes next is asked for ahead: the
    reads at random places, which are what a search takes, do not wait for each other."""
    chunk, level = place
    numbers, _, values, starts, ends, candidates = state
    base, end_of_keys = tables.bucket_bases[chunk], 1 << tables.chunk_bits[chunk]
    offsets = tables.bucket_offsets[base : base + end_of_keys + 1]
    items = tables.bucket_items[chunk]
    flipped = (1 << level) - 1
    while flipped < end_of_keys and numbers[OUTCOME] == PROBED:
        flipped, num_buckets = _look_up(items, offsets, values[chunk], flipped, starts, ends)
        numbers[NUM_PROBES] += num_buckets
        bucket = 0
        while bucket < num_buckets and numbers[OUTCOME] == PROBED:
            bucket, num_candidates = _gather(tables.words, items, starts, ends, (bucket, num_buckets), candidates)
            keys = _compare(num_candidates, (place, tables, query), asked, state, keys)
    return keys


@compiled
def _look_up(items: Any, offsets: Any, value: Any, flipped: Any, starts: Any, ends: Any) -> Any:
    """Where the next buckets start and end in `items`, from the key on that differs from `value` in the bits `flipped`.
    Returns the bits that come after the last of them, and the number of buckets."""
    num_buckets, end_of_keys = 0, len(offsets) - 1
    address = np.intp(offsets.ctypes.data)  # unsigned, sums with other numbers would be floats
    while flipped < end_of_keys and num_buckets < len(starts):
        starts[num_buckets] = value ^ flipped
        prefetch(address + starts[num_buckets] * offsets.itemsize)
        num_buckets += 1
        if flipped == 0:
            flipped = end_of_keys
        else:  # the next larger number with as many bits set (Gosper)
            carried = flipped + (flipped & -flipped)
            flipped = carried | ((carried ^ flipped) >> (2 + trailing_zeros(flipped)))
    address = np.intp(items.ctypes.data)
    for place in range(num_buckets):
        bucket = starts[place]
        starts[place], ends[place] = offsets[bucket], offsets[bucket + 1]
        prefetch(address + starts[place] * items.itemsize)
    return flipped, num_buckets


@compiled
def _gather(words: Any, items: Any, starts: Any, ends: Any, buckets: Any, candidates: Any) -> Any:
    """Items of the buckets from the first to the last of `buckets` while there is room. Returns the bucket to go on
    with, whose start moves past what was taken, and the number of items: -1 where a bucket lies outside."""
    (bucket, num_buckets), num_candidates = buckets, 0
    codes, code_bytes = np.intp(words.ctypes.data), words.itemsize * words.shape[1]
    while bucket < num_buckets:
        start, end = starts[bucket], ends[bucket]
        if start < 0 or end > len(items):
            return bucket, -1
        part_end = min(end, start + len(candidates) - num_candidates)
        for entry in range(start, part_end):
            item = np.int64(items[entry])
            prefetch(codes + item * code_bytes)
            candidates[num_candidates] = item
            num_candidates += 1
        if part_end < end:
            starts[bucket] = part_end
            break
        bucket += 1
    return bucket, num_candidates


@compiled
def _compare(num_candidates: Any, probed: Any, asked: Any, state: Any, keys: Any) -> Any:
    place, tables, query = probed
    numbers, values, candidates = state[0], state[2], state[5]
    num_near = _near_first(tables.words, query, numbers[_BOUND], candidates, num_candidates)
    if num_candidates < 0 or num_near < 0:
        numbers[OUTCOME] = BROKEN_TABLES
        return keys
    numbers[NUM_CANDIDATES] += num_candidates
    for candidate in range(num_near):
        item = candidates[candidate]
        distance = _distance(tables.words, item, query)
        if distance <= numbers[_BOUND] and not _met_before(place, tables, item, values):
            keys = _keep(distance, item, tables, asked, state, keys)
    if numbers[OUTCOME] == PROBED and _spent(numbers, asked[1]) > asked[1].budget_seconds:
        numbers[OUTCOME] = TOO_COSTLY
    return keys


@compiled
def _near_first(words: Any, query: Any, bound: Any, candidates: Any, num_candidates: Any) -> Any:
    """Move the candidates within the bound to the front; how many they are, -1 where one is no position."""
    num_near, num_codes = 0, np.int64(len(words))
    for candidate in range(num_candidates):
        item = candidates[candidate]
        if item < 0 or item >= num_codes:
            return -1
        candidates[num_near] = item
        num_near += _distance(words, item, query) <= bound
    return num_near


@compiled
def _distance(words: Any, item: Any, query: Any) -> Any:
    distance = 0
    for word in range(words.shape[1]):
        distance += popcount(np.uint64(words[item, word] ^ query[0, word]))
    return distance


@compiled
def _met_before(place: Any, tables: Any, item: Any, values: Any) -> Any:
    """Whether an earlier step looked into a bucket that holds this code: nothing needs to be kept to know it."""
    chunk, level = place
    for other in range(len(values)):
        done = level if other < chunk else level - 1
        if done >= 0 and other != chunk:
            value = chunk_value(tables.words, item, tables.chunk_starts[other], tables.chunk_bits[other])
            if popcount(np.uint64(value ^ values[other])) <= done:
                return True
    return False


@compiled
def _keep(distance: Any, item: Any, tables: Any, asked: Any, state: Any, keys: Any) -> Any:
    """Add a code that is met for the first time; once k answers are within some distance, that is the bound."""
    allowed, limits = asked
    numbers, counts = state[0], state[1]
    num_answers = _allowed_positions(tables, item, allowed, limits.k, keys[:0])
    if num_answers < 0:
        numbers[OUTCOME] = BROKEN_TABLES
    if num_answers <= 0:
        return keys
    keys = _with_room(keys, numbers[_NUM_KEYS], 1)
    keys[numbers[_NUM_KEYS]] = (distance << POSITION_BITS) | item
    numbers[_NUM_KEYS] += 1
    counts[distance] += num_answers
    numbers[_NUM_WITHIN] += num_answers
    while numbers[_NUM_WITHIN] - counts[numbers[_BOUND]] >= limits.k:
        numbers[_NUM_WITHIN] -= counts[numbers[_BOUND]]
        numbers[_BOUND] -= 1
    return keys


@compiled
def _allowed_positions(tables: Any, first: Any, allowed: Any, k: Any, positions: Any) -> Any:
    """How many allowed positions, at most k, hold the code that `first` is the first position of; they are written to
    `positions` unless that is empty. -1 where the tables name a position that there is none of."""
    count, num_repeated = 0, len(tables.repeated_firsts)
    if _is_allowed(allowed, first):
        if len(positions) > 0:
            positions[0] = first
        count = 1
    group, groups_end = 0, num_repeated
    while group < groups_end:
        middle = (group + groups_end) // 2
        if np.int64(tables.repeated_firsts[middle]) < first:
            group = middle + 1
        else:
            groups_end = middle
    if group == num_repeated or np.int64(tables.repeated_firsts[group]) != first:
        return count
    start, end = np.int64(tables.repeat_offsets[group]), np.int64(tables.repeat_offsets[group + 1])
    if start < 0 or end > len(tables.repeats):
        return -1
    for entry in range(start, end):
        if count == k:
            break
        position = np.int64(tables.repeats[entry])
        if position < 0 or position >= len(tables.words):
            return -1
        if _is_allowed(allowed, position):
            if len(positions) > 0:
                positions[count] = position
            count += 1
    return count


@compiled
def _is_allowed(allowed: Any, position: Any) -> Any:
    return len(allowed) == 0 or (allowed[position >> 6] >> np.uint64(position & 63)) & np.uint64(1) != 0


@compiled
def _append_answers(tables: Any, allowed: Any, k: Any, numbers: Any, found: Any) -> Any:
    """Answers within the bound, repeated codes spelled out, after the first `num_answers`. Returns the answers."""
    keys, answers, num_answers = found
    for place in range(numbers[_NUM_KEYS]):
        distance, first = keys[place] >> POSITION_BITS, keys[place] & _POSITION_MASK
        if distance <= numbers[_BOUND]:
            count = _allowed_positions(tables, first, allowed, k, keys[:0])
            answers = _with_room(answers, num_answers, count)
            positions = answers[num_answers : num_answers + count]
            _allowed_positions(tables, first, allowed, k, positions)
            for answer in range(count):
                positions[answer] |= distance << POSITION_BITS
            num_answers += count
            numbers[NUM_ANSWERS] += count
    return answers


@compiled
def _with_room(keys: Any, num_keys: Any, num_more: Any) -> Any:
    if num_keys + num_more <= len(keys):
        return keys
    longer = np.empty(max(2 * len(keys), num_keys + num_more), np.int64)
    for place in range(num_keys):
        longer[place] = keys[place]
    return longer


@compiled
def _spent(numbers: Any, limits: Any) -> Any:
    """Seconds, as the limits count them."""
    return numbers[NUM_PROBES] * limits.probe_seconds + numbers[NUM_CANDIDATES] * limits.candidate_seconds


@compiled
def _num_choices(num_bits: Any, num_flipped: Any) -> Any:
    """Keys that differ from one in exactly `num_flipped` of `num_bits` bits, as a float."""
    choices = 1.0
    for place in range(num_flipped):
        choices *= (num_bits - place) / (place + 1)
    return choices
