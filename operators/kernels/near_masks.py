"""Which of 64 codes are nearer to a query than a bound: one bit each, as vector code that LLVM fits to the machine.

The same instructions in LLVM's own language become AVX-512 (with its popcount), AVX2 or Neon; nothing but numba is
needed to compile them. numba's loops over single codes reach a tenth of this speed.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

CODES_PER_MASK = 64
_LANES = 8
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_WORD, _LANES)


@intrinsic
def near_mask(typing: Any, planes: Any, stride: Any, query: Any, bound: Any, width: Any) -> Any:
    """(address of the first code's first word, words from one plane to the next, address of the query's words, bound,
    a tuple with one 0 per word of a code) -> uint64 with bit j set where code j of 64 differs from the query in fewer
    than `bound` bits. Unrolled over the words: the length of the tuple is part of its type."""
    num_words = len(width)
    signature = types.uint64(types.uintp, types.int64, types.uintp, types.int64, width)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _generate(builder, arguments[:4], num_words)

    return signature, generate


def _generate(builder: Any, arguments: Any, num_words: int) -> Any:
    planes, stride, query, bound = arguments
    popcount = _function(builder, "llvm.ctpop.v8i64", _VECTOR)
    words = builder.inttoptr(query, _WORD.as_pointer())
    asked = [_splat(builder, _load(builder, words, word)) for word in range(num_words)]
    limit = _splat(builder, bound)
    codes = builder.inttoptr(planes, _WORD.as_pointer())
    mask = ir.Constant(_WORD, 0)
    for group in range(CODES_PER_MASK // _LANES):
        total = None
        for word in range(num_words):
            place = builder.add(builder.mul(stride, ir.Constant(_WORD, word)), ir.Constant(_WORD, group * _LANES))
            address = builder.bitcast(builder.gep(codes, [place]), _VECTOR.as_pointer())
            loaded = builder.load(address)
            loaded.align = 8
            differing = builder.call(popcount, [builder.xor(loaded, asked[word])])
            total = differing if total is None else builder.add(total, differing)
        near = builder.icmp_unsigned("<", total, limit)
        bits = builder.zext(builder.bitcast(near, ir.IntType(_LANES)), _WORD)
        mask = builder.or_(mask, builder.shl(bits, ir.Constant(_WORD, group * _LANES)))
    return mask


def _function(builder: Any, name: str, *arguments: Any) -> Any:
    """LLVM's own function of that name; it returns what its first argument is."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(arguments[0], arguments), name)


def _load(builder: Any, words: Any, place: int) -> Any:
    return builder.load(builder.gep(words, [ir.Constant(_WORD, place)]))


def _splat(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)
    return builder.shuffle_vector(first, undefined, places)


@intrinsic
def popcount(typing: Any, word: Any) -> Any:
    """Set bits of a uint64, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.call(_function(builder, "llvm.ctpop.i64", _WORD), arguments)

    return types.int64(types.uint64), generate


@intrinsic
def trailing_zeros(typing: Any, word: Any) -> Any:
    """Zeros below the lowest set bit of a uint64 that is not 0, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        cttz = _function(builder, "llvm.cttz.i64", _WORD, ir.IntType(1))
        return builder.call(cttz, [arguments[0], ir.Constant(ir.IntType(1), 1)])

    return types.int64(types.uint64), generate
