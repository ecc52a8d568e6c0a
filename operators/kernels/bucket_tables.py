"""The two steps that build the tables of multi-index hashing: finding equal codes, and sorting codes into buckets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.code_chunks import chunk_value
from operators.kernels.compiled import compiled
from operators.kernels.hamming_numpy import Words

Positions = NDArray[np.unsignedinteger]
"""uint32 or uint64."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_SHORT_POSITIONS = 2**32 - 1


def first_equals(words: Words) -> Positions:
    """For each code the first position that holds the same code, `(num_items,)`: uint32, from 2**32 - 1 on uint64.

    `words`: `(num_items, num_words)`. Takes up to three more positions per code while it runs.
    """
    dtype = np.uint32 if len(words) < _SHORT_POSITIONS else np.uint64
    num_slots = 1 << max(4, (4 * len(words) // 3).bit_length())
    slots: Positions = np.full(num_slots, np.iinfo(dtype).max, dtype)
    firsts: Positions = np.empty(len(words), dtype)
    _find_first_equals(words, slots, firsts)
    return firsts


@compiled
def _find_first_equals(words: Any, slots: Any, firsts: Any) -> None:
    num_items, num_words = words.shape
    last_slot = np.uint64(len(slots) - 1)
    empty = slots[0]
    for item in range(num_items):
        mixed = np.uint64(0)
        for word in range(num_words):
            mixed = (mixed ^ np.uint64(words[item, word])) * _MULTIPLIER
            mixed ^= mixed >> _HALF
        slot = (mixed * _MULTIPLIER >> _HALF) & last_slot
        while slots[slot] != empty and not _equal(words, slots[slot], item):
            slot = (slot + np.uint64(1)) & last_slot
        if slots[slot] == empty:
            slots[slot] = item
        firsts[item] = slots[slot]


@compiled
def _equal(words: Any, left: Any, right: Any) -> Any:
    word, num_words = 0, words.shape[1]
    while word < num_words and words[left, word] == words[right, word]:
        word += 1
    return word == num_words


@compiled
def fill_buckets(words: Any, members: Any, chunk: Any, offsets: Any, items: Any) -> None:
    """Sort `members` (positions, ascending) by one chunk of their codes, then by position, into `items`.

    `chunk`: (first bit, bits) as in `chunk_value`. `offsets`, 2 ** bits + 1 zeros at first, says where the bucket of
    each value starts in `items` and, one further, where it ends.
    """
    first_bit, num_bits = chunk
    for place in range(len(members)):
        offsets[chunk_value(words, members[place], first_bit, num_bits) + 1] += 1
    for value in range(len(offsets) - 1):
        offsets[value + 1] += offsets[value]
    next_places = offsets.copy()
    for place in range(len(members)):
        value = chunk_value(words, members[place], first_bit, num_bits)
        items[next_places[value]] = members[place]
        next_places[value] += 1
