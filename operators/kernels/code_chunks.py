"""Codes as machine words, and runs of their bits as numbers: what the tables of multi-index hashing are keyed by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.hamming_numpy import Words


def unpadded_words(packed: NDArray[np.uint8]) -> Words:
    """Unsigned `(num_items, num_words)`: the widest of 8, 4 and 1 byte words that the bytes of a code divide into.

    Little-endian, read only, and a view of codes that lie together in memory: memory-mapped ones stay where they are.
    """
    word_bytes = next(size for size in (8, 4, 1) if packed.shape[1] % size == 0)
    return read_only(np.ascontiguousarray(packed).view(np.dtype(f"<u{word_bytes}")))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view that compiled code takes for the same type whether the array was made or memory-mapped."""
    view = array.view()
    view.flags.writeable = False
    return view


@compiled
def chunk_value(words: Any, item: Any, first_bit: Any, num_bits: Any) -> Any:
    """The `num_bits` (at most 24) bits of one item from `first_bit` on, as a number.

    `words` as `unpadded_words` gives them. Bits are counted along the words, the lowest of the first word first.
    """
    word_bits = 8 * words.itemsize
    value, num_read = np.uint64(0), 0
    while num_read < num_bits:
        word, shift = divmod(first_bit + num_read, word_bits)
        value |= (np.uint64(words[item, word]) >> np.uint64(shift)) << np.uint64(num_read)
        num_read += word_bits - shift
    return np.int64(value & ((np.uint64(1) << np.uint64(num_bits)) - np.uint64(1)))
