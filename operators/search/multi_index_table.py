"""`MultiIndexTables`: the tables of multi-index hashing as plain arrays, to be saved and memory-mapped as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import comb, log2

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.bucket_probing import ProbedTables
from operators.kernels.bucket_tables import Positions, fill_buckets, first_equals
from operators.kernels.code_chunks import read_only, unpadded_words

MAX_CHUNK_BITS = 24
_MIN_CHUNK_BITS = 8
MAX_NUM_BITS = 4096


@dataclass(frozen=True, eq=False)
class MultiIndexTables:
    """Equal codes are one *distinct* code, named by its first position. The bits of a code are cut into m chunks.

    `chunk_bits`: uint8 `(m,)`, bits of each chunk, in the order of `chunk_value`.
    `bucket_offsets`: for each chunk 2 ** bits + 1 numbers, one chunk after the other: where the bucket of each value of
    the chunk starts in `bucket_items`, and the end.
    `bucket_items`: `(m, num_distinct)`, distinct codes by the value of the chunk, then by position.
    `repeated_firsts`: ascending, the distinct codes that come more than once; the further positions of number g are
    `repeats[repeat_offsets[g] : repeat_offsets[g + 1]]`, ascending.
    All but `chunk_bits` are uint32, from 2**32 - 1 codes on uint64.
    """

    chunk_bits: NDArray[np.uint8]
    bucket_offsets: Positions
    bucket_items: Positions
    repeated_firsts: Positions
    repeat_offsets: Positions
    repeats: Positions

    @classmethod
    def build(cls, codes: BinaryCodes, num_chunks: int | None = None) -> MultiIndexTables:
        """Tables over all codes. Memory while it runs: at most 8 times a position per code beside the tables.

        `num_chunks`: without it as `default_num_chunks` says. Raises `ShapeMismatch` for a width that is no multiple of
        8 from 8 to 4096, `InvalidSetting` for chunks of no bit or of more than `MAX_CHUNK_BITS`.
        """
        check_width(codes.num_bits)
        words = unpadded_words(codes.packed)
        distinct, (firsts, offsets, repeats) = _collapse(first_equals(words))
        if num_chunks is None:
            num_chunks = default_num_chunks(len(distinct), codes.num_bits)
        chunk_bits = cut_into_chunks(codes.num_bits, num_chunks)
        bucket_offsets = np.zeros(sum((1 << int(bits)) + 1 for bits in chunk_bits), distinct.dtype)
        items = np.empty((num_chunks, len(distinct)), distinct.dtype)
        first_bit, base = 0, 0
        for row, bits in zip(items, chunk_bits.tolist(), strict=True):
            end = base + (1 << bits) + 1
            fill_buckets(words, distinct, (first_bit, bits), bucket_offsets[base:end], row)
            first_bit, base = first_bit + bits, end
        return cls(chunk_bits, bucket_offsets, items, firsts, offsets, repeats)

    @property
    def num_indexed(self) -> int:
        """Positions that the tables cover, 0 up to this."""
        return int(self.bucket_items.shape[1]) + len(self.repeats)

    def arrays(self) -> dict[str, NDArray[np.unsignedinteger]]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, codes: BinaryCodes, arrays: Mapping[str, NDArray[np.unsignedinteger]]) -> MultiIndexTables:
        """Tables over the first of `codes` from what `arrays` gave, which stays where it is. Nothing is rebuilt.

        Raises `ShapeMismatch` where names, dtypes, shapes or ends of offsets do not fit each other or the codes. What
        the offsets and positions inside are is not looked at here; a search refuses those that point outside.
        """
        check_width(codes.num_bits)
        expected = [field.name for field in fields(cls)]
        if sorted(arrays) != sorted(expected):
            raise ShapeMismatch("names of arrays", ", ".join(sorted(arrays)), ", ".join(sorted(expected)))
        tables = cls(**{name: np.asarray(arrays[name]) for name in expected})
        tables._check_types()
        tables._check_chunks(codes.num_bits)
        tables._check_repeats()
        if tables.num_indexed > len(codes):
            raise ShapeMismatch("codes", str(len(codes)), f"at least the {tables.num_indexed} that the tables cover")
        return tables

    def predicted_work(self, radius: int) -> tuple[float, float]:
        """Buckets that a query within `radius` looks into, and the codes in them if these were spread evenly. Where
        codes lie together in clusters, a query near one meets more."""
        num_probes, num_candidates = 0.0, 0.0
        level, num_deeper = divmod(radius, len(self.chunk_bits))
        for chunk, bits in enumerate(self.chunk_bits.tolist()):
            num_levels = level + 1 if chunk <= num_deeper else level
            buckets = float(sum(comb(bits, flipped) for flipped in range(min(num_levels, bits + 1))))
            num_probes += buckets
            num_candidates += buckets * self.bucket_items.shape[1] / (1 << bits)
        return num_probes, num_candidates

    def _check_types(self) -> None:
        wide = self.bucket_items.dtype
        if wide not in (np.uint32, np.uint64):
            raise ShapeMismatch("bucket_items", str(wide), "uint32 or uint64")
        for name, array in self.arrays().items():
            dtype = np.dtype(np.uint8) if name == "chunk_bits" else wide
            num_axes = 2 if name == "bucket_items" else 1
            if array.dtype != dtype or array.ndim != num_axes or not array.flags.c_contiguous:
                given = f"{array.dtype} {array.shape}"
                raise ShapeMismatch(name, given, f"{dtype} with {num_axes} axes, in one piece")

    def _check_chunks(self, num_bits: int) -> None:
        sizes = self.chunk_bits.tolist()
        if sum(sizes) != num_bits or not all(1 <= bits <= MAX_CHUNK_BITS for bits in sizes):
            raise ShapeMismatch("chunk_bits", str(sizes), f"1 to {MAX_CHUNK_BITS} each, {num_bits} together")
        if len(self.bucket_items) != len(sizes):
            raise ShapeMismatch("bucket_items", f"{len(self.bucket_items)} rows", f"{len(sizes)}, one per chunk")
        ends = np.cumsum([(1 << bits) + 1 for bits in sizes])
        if len(self.bucket_offsets) != ends[-1]:
            raise ShapeMismatch("bucket_offsets", f"{len(self.bucket_offsets)} numbers", f"{ends[-1]} for {sizes}")
        num_distinct = self.bucket_items.shape[1]
        starts = np.concatenate([[0], ends[:-1]])
        if np.any(self.bucket_offsets[starts] != 0) or np.any(self.bucket_offsets[ends - 1] != num_distinct):
            raise ShapeMismatch("bucket_offsets", "other first or last ones", f"from 0 to {num_distinct} in each chunk")

    def _check_repeats(self) -> None:
        if len(self.repeat_offsets) != len(self.repeated_firsts) + 1:
            given = f"{len(self.repeat_offsets)} numbers"
            raise ShapeMismatch("repeat_offsets", given, f"{len(self.repeated_firsts) + 1}")
        if self.repeat_offsets[0] != 0 or self.repeat_offsets[-1] != len(self.repeats):
            given = f"from {self.repeat_offsets[0]} to {self.repeat_offsets[-1]}"
            raise ShapeMismatch("repeat_offsets", given, f"from 0 to {len(self.repeats)}")

    def probed(self, codes: BinaryCodes) -> ProbedTables:
        """What the compiled search reads: the tables and the words of all `codes`."""
        bits = self.chunk_bits.astype(np.int64)
        sizes = (np.int64(1) << bits) + 1
        return ProbedTables(
            words=unpadded_words(codes.packed),
            chunk_starts=np.cumsum(bits) - bits,
            chunk_bits=bits,
            bucket_bases=np.cumsum(sizes) - sizes,
            bucket_offsets=read_only(self.bucket_offsets),
            bucket_items=read_only(self.bucket_items),
            repeated_firsts=read_only(self.repeated_firsts),
            repeat_offsets=read_only(self.repeat_offsets),
            repeats=read_only(self.repeats),
        )


def check_width(num_bits: int) -> None:
    """Raises `ShapeMismatch` unless multi-index hashing takes codes of this width."""
    if num_bits % 8 or not 8 <= num_bits <= MAX_NUM_BITS:
        raise ShapeMismatch("codes", f"{num_bits} bits", f"a multiple of 8 from 8 to {MAX_NUM_BITS} bits")


def default_num_chunks(num_distinct: int, num_bits: int) -> int:
    """num_bits / log2(num_distinct), rounded (Norouzi et al., section 4), such that no chunk exceeds `MAX_CHUNK_BITS`;
    chunks of fewer than 8 bits save nothing."""
    chunk_bits = max(_MIN_CHUNK_BITS, log2(max(1, num_distinct)))
    return max(1, round(num_bits / chunk_bits), -(-num_bits // MAX_CHUNK_BITS))


def cut_into_chunks(num_bits: int, num_chunks: int) -> NDArray[np.uint8]:
    """Sizes uint8 `(num_chunks,)`, larger ones first, that differ by 1 at most. Raises `InvalidSetting`."""
    fewest = -(-num_bits // MAX_CHUNK_BITS)
    whole = isinstance(num_chunks, int | np.integer) and not isinstance(num_chunks, bool)
    if not whole or not fewest <= num_chunks <= num_bits:
        raise InvalidSetting("num_chunks", repr(num_chunks), f"a whole number from {fewest} to {num_bits}")
    sizes = np.full(num_chunks, num_bits // num_chunks, np.uint8)
    sizes[: num_bits % num_chunks] += 1
    return sizes


def _collapse(firsts: Positions) -> tuple[Positions, tuple[Positions, Positions, Positions]]:
    """Distinct codes ascending, and (`repeated_firsts`, `repeat_offsets`, `repeats`)."""
    is_first = firsts == np.arange(len(firsts), dtype=firsts.dtype)
    repeated = np.flatnonzero(~is_first).astype(firsts.dtype)
    order = np.argsort(firsts[repeated], kind="stable")
    groups, counts = np.unique(firsts[repeated], return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(firsts.dtype)
    return np.flatnonzero(is_first).astype(firsts.dtype), (groups, offsets, repeated[order])
