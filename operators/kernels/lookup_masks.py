"""Which of many quantized codes may lie nearer than a bound: sums of small terms, 64 codes to an instruction.

Terms of one byte are lower bounds of a lookup table's floats, so that few codes are left whose floats must be added
(the idea of Quick ADC: André, Kermarrec and Le Scouarnec, "Accelerated nearest neighbor search with Quick ADC", ICMR
2017, there with 16 words a codebook). A table of 256 bytes fits four registers of AVX-512, which VBMI looks up at once;
other processors have no such instruction (`has_byte_lookup`).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

CODES_PER_LOOKUP = 256
"""Codes lie in chunks of as many, one plane per byte of a code after the other: `(bytes of a code, 256)`."""
_CODES_PER_MASK = 64
_TABLE_BYTES = 256
_BYTE = ir.IntType(8)
_LONG = ir.IntType(64)
_BYTES = ir.VectorType(_BYTE, 64)
_LONGS = ir.VectorType(_LONG, 8)


def has_byte_lookup() -> bool:
    """Whether numba compiles for a processor with AVX-512 VBMI (Ice Lake, Zen 4 and later)."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return "+avx512vbmi" in features.split(",")


@intrinsic
def byte_planes(typing: Any, words: Any, planes: Any) -> Any:
    """(address of 64 words of 8 bytes, address of the place for the first in the first of 8 planes of a chunk): byte b
    of word j goes to place j of plane b."""
    signature = types.void(types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words, planes = arguments
        _store_planes(builder, [_load(builder, words, 64 * row) for row in range(8)], planes)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def byte_planes_of_pairs(typing: Any, words: Any, planes: Any) -> Any:
    """`byte_planes` of 64 pairs of words, to 16 planes."""
    signature = types.void(types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words, planes = arguments
        vectors = [builder.bitcast(_load(builder, words, 64 * number), _LONGS) for number in range(16)]
        for word in range(2):
            every_other = [word + 2 * lane for lane in range(8)]
            rows = [_shuffled(builder, vectors[row], vectors[row + 1], every_other) for row in range(0, 16, 2)]
            target = builder.add(planes, _long(8 * word * CODES_PER_LOOKUP))
            _store_planes(builder, [builder.bitcast(row, _BYTES) for row in rows], target)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def byte_planes_apart(typing: Any, words: Any, step: Any, planes: Any) -> Any:
    """`byte_planes` of words that lie `step` bytes apart."""
    signature = types.void(types.intp, types.int64, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words, step, planes = arguments
        rows = []
        for first in range(0, 64, 8):
            row = ir.Constant(_LONGS, ir.Undefined)
            for lane in range(8):
                address = builder.add(words, builder.mul(step, _long(first + lane)))
                word = builder.load(builder.inttoptr(address, _LONG.as_pointer()))
                row = builder.insert_element(row, word, ir.Constant(ir.IntType(32), lane))
            rows.append(builder.bitcast(row, _BYTES))
        _store_planes(builder, rows, planes)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def byte_at(typing: Any, address: Any, place: Any) -> Any:
    """(address, place) -> the uint8 there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(builder.add(*arguments), _BYTE.as_pointer()))

    return types.uint8(types.intp, types.int64), generate


@intrinsic
def lookup_masks(typing: Any, planes: Any, terms: Any, num_codebooks: Any, most: Any, masks: Any) -> Any:
    """(address of a chunk, address of uint8 terms `(num_codebooks, 256)`, number of codebooks, largest sum that counts
    (0 to 255), address of 4 uint64): sets bit j % 64 of mask j // 64 where the terms of code j of the chunk add to at
    most that; sums stop at 255. Returns whether any is set. Only where `has_byte_lookup`."""
    signature = types.boolean(types.intp, types.intp, types.int64, types.int64, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        planes, terms, num_codebooks, most, masks = arguments
        sums = [cgutils.alloca_once_value(builder, ir.Constant(_BYTES, None)) for _ in range(4)]
        with cgutils.for_range(builder, num_codebooks) as loop:
            table = builder.add(terms, builder.mul(loop.index, _long(_TABLE_BYTES)))
            quarters = [_load(builder, table, 64 * quarter) for quarter in range(4)]
            plane = builder.add(planes, builder.mul(loop.index, _long(CODES_PER_LOOKUP)))
            for part, total in enumerate(sums):
                codes = _load(builder, plane, _CODES_PER_MASK * part)
                builder.store(_added(builder, builder.load(total), _looked_up(builder, quarters, codes)), total)
        limit = _splat(builder, builder.trunc(most, _BYTE))
        found = _long(0)
        for part, total in enumerate(sums):
            mask = builder.bitcast(builder.icmp_unsigned("<=", builder.load(total), limit), _LONG)
            builder.store(mask, builder.inttoptr(builder.add(masks, _long(8 * part)), _LONG.as_pointer()))
            found = builder.or_(found, mask)
        return builder.icmp_unsigned("!=", found, _long(0))

    return signature, generate


def _looked_up(builder: Any, quarters: Any, codes: Any) -> Any:
    """The entries of a table of 256 bytes, given as its four quarters, that 64 bytes name."""
    kind = ir.FunctionType(_BYTES, [_BYTES] * 3)
    lookup = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx512.vpermi2var.qi.512")
    lower = builder.call(lookup, [quarters[0], codes, quarters[1]])
    upper = builder.call(lookup, [quarters[2], codes, quarters[3]])
    return builder.select(builder.icmp_signed("<", codes, ir.Constant(_BYTES, None)), upper, lower)


def _added(builder: Any, left: Any, right: Any) -> Any:
    kind = ir.FunctionType(_BYTES, [_BYTES] * 2)
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.uadd.sat.v64i8"), [left, right])


def _store_planes(builder: Any, rows: list[Any], planes: Any) -> None:
    """Bytes of 64 words, eight words in each row, to their planes."""
    gathered = [8 * place + byte for byte in range(8) for place in range(8)]
    squares = [builder.bitcast(_shuffled(builder, row, row, gathered), _LONGS) for row in rows]
    for plane, column in enumerate(_transposed(builder, squares)):
        address = builder.add(planes, _long(CODES_PER_LOOKUP * plane))
        builder.store(column, builder.inttoptr(address, _LONGS.as_pointer())).align = 1


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Eight vectors of eight words as their columns: squares exchange halves, from large squares to small ones."""
    for size in (4, 2, 1):
        upper = [lane - size + 8 if lane & size else lane for lane in range(8)]
        for first in (row for row in range(8) if not row & size):
            left, right = rows[first], rows[first + size]
            rows[first] = _shuffled(builder, left, right, upper)
            rows[first + size] = _shuffled(builder, left, right, [place + size for place in upper])
    return rows


def _shuffled(builder: Any, left: Any, right: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
    return builder.shuffle_vector(left, right, mask)


def _load(builder: Any, address: Any, offset: int) -> Any:
    loaded = builder.load(builder.inttoptr(builder.add(address, _long(offset)), _BYTES.as_pointer()))
    loaded.align = 1
    return loaded


def _splat(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_BYTES, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    return _shuffled(builder, first, undefined, [0] * 64)


def _long(value: int) -> Any:
    return ir.Constant(_LONG, value)
