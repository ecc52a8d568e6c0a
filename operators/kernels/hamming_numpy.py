"""Hamming distances with numpy: XOR, then popcount, over machine words. The reference for every other kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger]


def word_columns(packed: NDArray[np.uint8]) -> Words:
    """Packed codes as machine words, one contiguous row per word position.

    `packed`: uint8 `(num_items, num_bytes)`. Returns unsigned `(num_words, num_items)`: the narrowest of 1, 2, 4 and 8
    byte words that holds a code, or several 8 byte words; missing bytes are zero, so distances do not change.
    """
    word_bytes = next((size for size in (1, 2, 4) if packed.shape[1] <= size), 8)
    return np.ascontiguousarray(_words(packed, word_bytes).T)


def long_words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """uint64 `(num_items, num_words)`, missing bytes zero; a view of the codes where they fill their words."""
    return _words(packed, 8).view(np.uint64)


def _words(packed: NDArray[np.uint8], word_bytes: int) -> Words:
    """Unsigned `(num_items, num_words)`."""
    num_items, num_bytes = packed.shape
    num_words = -(-num_bytes // word_bytes)
    if num_words * word_bytes != num_bytes:
        padded = np.zeros((num_items, num_words * word_bytes), np.uint8)
        padded[:, :num_bytes] = packed
        packed = padded
    words = np.ascontiguousarray(packed).view(np.dtype(f"u{word_bytes}"))
    return words.reshape(num_items, num_words)


def hamming_distances(query_columns: Words, code_columns: Words) -> NDArray[np.unsignedinteger]:
    """Bits that differ, for every pair.

    Arguments: two results of `word_columns` for codes of one width, `(num_words, num_queries)` and
    `(num_words, num_codes)`. Returns the narrowest unsigned type that holds the width, `(num_queries, num_codes)`.
    """
    num_words = len(code_columns)
    distances: Words = np.bitwise_count(query_columns[0][:, None] ^ code_columns[0][None, :])
    if num_words == 1:
        return distances
    total: Words = distances.astype(np.min_scalar_type(num_words * code_columns.itemsize * 8))
    for query_words, code_words in zip(query_columns[1:], code_columns[1:], strict=True):
        total += np.bitwise_count(query_words[:, None] ^ code_words[None, :])
    return total
