"""Hamming distances with numpy: XOR, then popcount, over machine words. The reference for every other kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.unsignedinteger]


def code_words(packed: NDArray[np.uint8]) -> Words:
    """Packed codes uint8 `(num_items, num_bytes)` as words `(num_items, num_words)`: one of 1, 2 or 4 bytes where a
    code fits, else several of 8; missing bytes are zero, so distances do not change. A view where the codes fill their
    words, a copy otherwise."""
    return _words(packed, next((size for size in (1, 2, 4) if packed.shape[1] <= size), 8))


def long_words(packed: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """As `code_words`, always words of 8 bytes."""
    return _words(packed, 8).view(np.uint64)


def word_columns(packed: NDArray[np.uint8]) -> Words:
    """The words of `code_words`, one contiguous row per word position: `(num_words, num_items)`."""
    return np.ascontiguousarray(code_words(packed).T)


def _words(packed: NDArray[np.uint8], word_bytes: int) -> Words:
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
