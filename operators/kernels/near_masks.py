"""Which of 64 codes are nearer to a query than a bound: one bit each, as vector code that LLVM fits to the machine.

The same instructions in LLVM's own language become AVX-512 (with its popcount), AVX2 or Neon; nothing but numba is
needed to compile them. numba's loops over single codes reach a tenth of this speed.

A *width* below is a tuple with one 0 per word of a code; its length and its type (uint8, uint16, uint32 or uint64) are
what the vector code is made for. Codes of several words have words of 64 bits. Addresses are those of the first byte.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

CODES_PER_MASK = 64
_VECTOR_BYTES = 64
_LONG = ir.IntType(64)
_PLACE = ir.IntType(32)
# Rows of more words become planes in parts, so that the shuffles stay within the registers.
_WORDS_AT_ONCE = 8


@intrinsic
def near_mask(typing: Any, planes: Any, stride: Any, query: Any, bound: Any, width: Any) -> Any:
    """(address of the first code's first word, words from one plane to the next, address of the query's words, bound,
    width) -> uint64 with bit j set where code j of 64 differs from the query in fewer than `bound` bits, for a bound
    of at most one more than the bits of a code. Unrolled over the words."""
    signature = types.uint64(types.intp, types.int64, types.intp, types.int64, width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _Words(builder, width).near_mask(*arguments[:4])

    return signature, generate


@intrinsic
def planes_of_rows(typing: Any, rows: Any, planes: Any, stride: Any, width: Any) -> Any:
    """(address of 64 codes as they lie, address of the first plane's place for them, words from one plane to the next,
    width): word w of code j goes to place j of plane w."""
    signature = types.void(types.intp, types.intp, types.int64, width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _Words(builder, width).transpose(*arguments[:3])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def differing_bits(typing: Any, code: Any, query: Any, width: Any) -> Any:
    """(address of a code, address of a query, width) -> their Hamming distance, int64."""
    signature = types.int64(types.intp, types.intp, width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _Words(builder, width).differing_bits(*arguments[:2])

    return signature, generate


@intrinsic
def word_at(typing: Any, words: Any, place: Any) -> Any:
    """(address of uint64 words, place) -> the word."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words, place = arguments
        return builder.load(builder.gep(builder.inttoptr(words, _LONG.as_pointer()), [place]))

    return types.uint64(types.intp, types.int64), generate


@intrinsic
def popcount(typing: Any, word: Any) -> Any:
    """Set bits of a uint64, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.call(_function(builder, "llvm.ctpop.i64", _LONG), arguments)

    return types.int64(types.uint64), generate


@intrinsic
def trailing_zeros(typing: Any, word: Any) -> Any:
    """Zeros below the lowest set bit of a uint64 that is not 0, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cttz = _function(builder, "llvm.cttz.i64", _LONG, ir.IntType(1))
        return builder.call(cttz, [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.uint64), generate


class _Words:
    """Writes instructions for codes of one width. Vectors fill 64 bytes: `lanes` codes each."""

    def __init__(self, builder: Any, width: Any) -> None:
        self._builder = builder
        self._num_words = len(width)
        self._bits = width.dtype.bitwidth
        self._word = ir.IntType(self._bits)
        self._lanes = 8 * _VECTOR_BYTES // self._bits
        self._vector = ir.VectorType(self._word, self._lanes)

    def near_mask(self, planes: Any, stride: Any, query: Any, bound: Any) -> Any:
        builder = self._builder
        popcount = _function(builder, f"llvm.ctpop.v{self._lanes}i{self._bits}", self._vector)
        words = builder.inttoptr(query, self._word.as_pointer())
        asked = [self._splat(builder.load(builder.gep(words, [_long(word)]))) for word in range(self._num_words)]
        limit = self._splat(bound if self._bits == 64 else builder.trunc(bound, self._word))
        codes = builder.inttoptr(planes, self._word.as_pointer())
        mask = _long(0)
        for first in range(0, CODES_PER_MASK, self._lanes):
            total = None
            for word in range(self._num_words):
                place = builder.add(builder.mul(stride, _long(word)), _long(first))
                loaded = self._load(builder.gep(codes, [place]), self._lanes)
                differing = builder.call(popcount, [builder.xor(loaded, asked[word])])
                total = differing if total is None else builder.add(total, differing)
            near = builder.bitcast(builder.icmp_unsigned("<", total, limit), ir.IntType(self._lanes))
            bits = near if self._lanes == CODES_PER_MASK else builder.zext(near, _LONG)
            mask = builder.or_(mask, builder.shl(bits, _long(first)))
        return mask

    def transpose(self, rows: Any, planes: Any, stride: Any) -> None:
        builder = self._builder
        source = builder.inttoptr(rows, self._word.as_pointer())
        target = builder.inttoptr(planes, self._word.as_pointer())
        for first in range(0, CODES_PER_MASK, self._lanes):
            for word in range(0, self._num_words, _WORDS_AT_ONCE):
                count = min(_WORDS_AT_ONCE, self._num_words - word)
                planes_of_block = self._planes_of_block(source, first, word, count)
                for part, plane in enumerate(planes_of_block):
                    place = builder.add(builder.mul(stride, _long(word + part)), _long(first))
                    address = builder.bitcast(builder.gep(target, [place]), self._vector.as_pointer())
                    builder.store(plane, address).align = self._bits // 8

    def differing_bits(self, code: Any, query: Any) -> Any:
        builder = self._builder
        popcount = _function(builder, f"llvm.ctpop.i{self._bits}", self._word)
        left, right = (builder.inttoptr(address, self._word.as_pointer()) for address in (code, query))
        total = _long(0)
        for word in range(self._num_words):
            ours, theirs = (builder.load(builder.gep(words, [_long(word)])) for words in (left, right))
            differing = builder.call(popcount, [builder.xor(ours, theirs)])
            total = builder.add(total, differing if self._bits == 64 else builder.zext(differing, _LONG))
        return total

    def _planes_of_block(self, source: Any, first: int, word: int, count: int) -> list[Any]:
        """`count` words from `word` on of as many codes as there are lanes, one vector per word."""
        if count != self._lanes:
            block = self._load_rows(source, first, word, count)
            return [self._every(block, part, count) for part in range(count)]
        starts = [(first + lane) * self._num_words + word for lane in range(self._lanes)]
        rows = [self._load(self._builder.gep(source, [_long(start)]), count) for start in starts]
        return self._turned(rows)

    def _turned(self, rows: list[Any]) -> list[Any]:
        """A square of words, transposed by exchanging squares of half the size within it, from single words up."""
        lanes = range(self._lanes)
        size = 1
        while size < self._lanes:
            upper = [lane if not lane & size else self._lanes + lane - size for lane in lanes]
            lower = [lane + size if not lane & size else self._lanes + lane for lane in lanes]
            for row in lanes:
                if not row & size:
                    left, right = rows[row], rows[row + size]
                    rows[row], rows[row + size] = self._picked(left, right, upper), self._picked(left, right, lower)
            size *= 2
        return rows

    def _picked(self, left: Any, right: Any, places: list[int]) -> Any:
        return self._builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(_PLACE, len(places)), places))

    def _load_rows(self, source: Any, first: int, word: int, count: int) -> Any:
        """`count` words from `word` on of as many codes as there are lanes, one code after the other."""
        start = first * self._num_words + word
        if count == self._num_words:
            return self._load(self._builder.gep(source, [_long(start)]), count * self._lanes)
        places = [start + lane * self._num_words for lane in range(self._lanes)]
        parts = [self._load(self._builder.gep(source, [_long(place)]), count) for place in places]
        while len(parts) > 1:
            parts = [self._joined(left, right) for left, right in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def _load(self, address: Any, num_words: int) -> Any:
        vector = ir.VectorType(self._word, num_words)
        loaded = self._builder.load(self._builder.bitcast(address, vector.as_pointer()))
        loaded.align = self._bits // 8
        return loaded

    def _joined(self, left: Any, right: Any) -> Any:
        return self._picked(left, right, list(range(2 * left.type.count)))

    def _every(self, block: Any, first: int, step: int) -> Any:
        """Elements `first`, `first + step`, … of a block, one per lane."""
        places = [first + step * lane for lane in range(self._lanes)]
        undefined = ir.Constant(block.type, ir.Undefined)
        return self._builder.shuffle_vector(block, undefined, ir.Constant(ir.VectorType(_PLACE, len(places)), places))

    def _splat(self, value: Any) -> Any:
        undefined = ir.Constant(self._vector, ir.Undefined)
        first = self._builder.insert_element(undefined, value, ir.Constant(_PLACE, 0))
        return self._builder.shuffle_vector(
            first, undefined, ir.Constant(ir.VectorType(_PLACE, self._lanes), [0] * self._lanes)
        )


def _long(value: int) -> Any:
    return ir.Constant(_LONG, value)


def _function(builder: Any, name: str, *arguments: Any) -> Any:
    """LLVM's own function of that name; it returns what its first argument is."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(arguments[0], arguments), name)
