"""Codes in tiles that stay in the processor's first cache while every query looks at them, one plane per word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.kernels.compiled import compiled
from operators.kernels.near_masks import CODES_PER_MASK, near_mask, planes_of_rows

TILE_BYTES = 8 * 2**10
_LINE_BYTES = 64
_MANY_QUERIES = 4


class Asked(NamedTuple):
    """What a scan wants of codes: addresses of the queries' words and of a bitmap of the codes that may answer (0: all
    may), how many queries, the width, and planes of `new_tile`."""

    queries: int
    num_queries: int
    allowed: int
    width: tuple[np.unsignedinteger, ...]
    planes: NDArray[np.unsignedinteger]


def asked_of(
    queries: NDArray[np.unsignedinteger], planes: NDArray[np.unsignedinteger], allowed: NDArray[np.uint64] | None
) -> Asked:
    """The arrays must live as long as the answer is used."""
    bitmap = 0 if allowed is None else allowed.ctypes.data
    return Asked(queries.ctypes.data, len(queries), bitmap, _width_of(queries), planes)


def _width_of(words: NDArray[np.unsignedinteger]) -> tuple[np.unsignedinteger, ...]:
    """The width, as `near_masks` has it, of words `(num_items, num_words)`."""
    zero: Any = words.dtype.type(0)
    width: tuple[np.unsignedinteger, ...] = (zero,) * words.shape[1]
    return width


def new_tile(words: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Planes `(num_words, codes of a tile)` for codes like these, from the start of a cache line on: a vector that
    crosses two lines is read half as fast."""
    num_words, word_bytes = words.shape[1], words.dtype.itemsize
    num_codes = max(CODES_PER_MASK, TILE_BYTES // (num_words * word_bytes) // CODES_PER_MASK * CODES_PER_MASK)
    spare = np.zeros(num_words * num_codes + _LINE_BYTES // word_bytes, words.dtype)
    first = -spare.ctypes.data % _LINE_BYTES // word_bytes
    return spare[first : first + num_words * num_codes].reshape(num_words, num_codes)


def in_whole_masks(words: NDArray[np.unsignedinteger]) -> Iterator[tuple[int, int, NDArray[np.unsignedinteger]]]:
    """(first code, number of codes, words that may be read up to a multiple of 64 codes): the codes without copying,
    then the last few with zeros behind them."""
    rest = len(words) % CODES_PER_MASK
    whole = len(words) - rest
    if whole:
        yield 0, whole, words[:whole]
    if rest:
        padded = np.zeros((CODES_PER_MASK, words.shape[1]), words.dtype)
        padded[:rest] = words[whole:]
        yield whole, rest, padded


@compiled
def load_tile(codes: Any, count: Any, asked: Any) -> Any:
    """(address of the tile's codes, how many, `Asked`): the address of the first plane. Reads up to a multiple of 64
    codes."""
    planes = asked.planes
    address = np.intp(planes.ctypes.data)  # unsigned, sums with other numbers would be floats
    if len(asked.width) == 1 and (asked.num_queries < _MANY_QUERIES or codes % _LINE_BYTES == 0):
        return codes  # one plane already, not worth a copy
    for place in range(0, count, CODES_PER_MASK):
        rows = codes + planes.itemsize * len(asked.width) * place
        planes_of_rows(rows, address + planes.itemsize * place, planes.shape[1], asked.width)
    return address


@compiled
def next_near(tile: Any, start: Any, question: Any, bound: Any, width: Any) -> Any:
    """((address of the first plane, words from one plane to the next, bytes of a word, codes of the tile), place to
    start from, address of a query, bound, width): the first place that has codes nearer than `bound` among its 64, and
    their mask; the number of codes and 0 when no place has.

    Writes nothing, so that the query stays in registers for the whole loop, and takes no array, whose references numba
    would count at each call.
    """
    planes, stride, word_bytes, count = tile
    for place in range(start, count, CODES_PER_MASK):
        mask = near_mask(planes + word_bytes * place, stride, question, bound, width)
        if mask != 0:
            mask &= mask_of_first(count - place)
            if mask != 0:
                return place, mask
    return count, np.uint64(0)


@compiled
def mask_of_first(count: Any) -> Any:
    """The lowest `count` of 64 bits, or all of them when there are more."""
    return ~np.uint64(0) >> np.uint64(max(0, CODES_PER_MASK - count))
