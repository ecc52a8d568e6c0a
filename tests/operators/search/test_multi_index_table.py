"""The tables of multi-index hashing, against dictionaries of buckets."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.kernels.code_chunks import unpadded_words
from operators.search.multi_index_table import MultiIndexTables, cut_into_chunks, default_num_chunks


def bits_in_order(codes: BinaryCodes) -> np.ndarray:
    """Bits as `chunk_value` counts them: along the words, the lowest first."""
    num_bytes = codes.num_bits // 8
    return np.unpackbits(codes.packed.reshape(-1, num_bytes), axis=1, bitorder="little")


@settings(max_examples=60, deadline=None)
@given(
    num_codes=st.integers(0, 60),
    num_bits=st.sampled_from([8, 64, 72]),
    num_chunks=st.one_of(st.none(), st.integers(7, 8)),
    seed=st.integers(0, 2**32),
)
def test_each_distinct_code_is_in_its_bucket(num_codes: int, num_bits: int, num_chunks: int | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    distinct = rng.integers(0, 256, (20, num_bits // 8), dtype=np.uint8)
    codes = BinaryCodes(distinct[rng.integers(0, 20, num_codes)], num_bits)
    tables = MultiIndexTables.build(codes, num_chunks)
    positions: dict[str, list[int]] = {}
    for position, text in enumerate(codes.to_hex()):
        positions.setdefault(text, []).append(position)
    firsts = [group[0] for group in positions.values()]
    base, first_bit = 0, 0
    for row, num_chunk_bits in zip(tables.bucket_items, tables.chunk_bits.tolist(), strict=True):
        bits = bits_in_order(codes)[:, first_bit : first_bit + num_chunk_bits]
        values = bits @ (1 << np.arange(num_chunk_bits))
        offsets = tables.bucket_offsets[base : base + (1 << num_chunk_bits) + 1]
        buckets = [row[offsets[value] : offsets[value + 1]].tolist() for value in range(1 << num_chunk_bits)]
        expected = [[first for first in firsts if values[first] == value] for value in range(1 << num_chunk_bits)]
        assert buckets == expected
        base, first_bit = base + len(offsets), first_bit + num_chunk_bits
    assert first_bit == num_bits
    repeated = {group[0]: group[1:] for group in positions.values() if len(group) > 1}
    assert tables.repeated_firsts.tolist() == sorted(repeated)
    starts = tables.repeat_offsets.tolist()
    groups = [tables.repeats[start:end].tolist() for start, end in itertools.pairwise(starts)]
    assert groups == [repeated[first] for first in sorted(repeated)]
    assert tables.num_indexed == num_codes


def test_chunks_have_about_as_many_bits_as_the_number_of_codes() -> None:
    assert [default_num_chunks(num_codes, 64) for num_codes in (0, 1, 2**10, 10**6, 10**8, 10**10)] == [
        8,
        8,
        6,
        3,
        3,
        3,
    ]
    assert default_num_chunks(10**8, 128) == 6
    assert default_num_chunks(10**6, 8) == 1
    assert cut_into_chunks(64, 3).tolist() == [22, 21, 21]
    assert cut_into_chunks(4096, 200).sum() == 4096


@pytest.mark.parametrize("num_chunks", [0, 2, 65, 3.0, True])
def test_refuses_chunks_that_cannot_be(num_chunks: int) -> None:
    with pytest.raises(InvalidSetting, match=r"num_chunks = .*: expected a whole number from 3 to 64"):
        MultiIndexTables.build(BinaryCodes(np.zeros((2, 8), np.uint8), 64), num_chunks)


@pytest.mark.parametrize("num_bits", [7, 12, 4104])
def test_refuses_other_widths(num_bits: int) -> None:
    codes = BinaryCodes(np.zeros((2, -(-num_bits // 8)), np.uint8), num_bits)
    with pytest.raises(ShapeMismatch, match=f"codes: got {num_bits} bits, expected a multiple of 8 from 8 to 4096"):
        MultiIndexTables.build(codes)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("chunk_bits", np.array([8] * 7, np.uint8)),
        ("chunk_bits", np.array([0, 16, 8, 8, 8, 8, 8, 8], np.uint8)),
        ("chunk_bits", np.array([64], np.uint8)),
        ("chunk_bits", np.array([], np.uint8)),
        ("chunk_bits", np.array([8] * 8, np.int64)),
        ("bucket_offsets", np.zeros(2055, np.uint32)),
        ("bucket_offsets", np.zeros(2056, np.uint32)),
        ("bucket_offsets", np.zeros(2056, np.uint64)),
        ("bucket_items", np.zeros((7, 2), np.uint32)),
        ("bucket_items", np.zeros((8, 3), np.uint32)),
        ("bucket_items", np.zeros((8, 2), np.int32)),
        ("bucket_items", np.zeros(16, np.uint32)),
        ("repeated_firsts", np.zeros(2, np.uint32)),
        ("repeat_offsets", np.zeros(2, np.uint32)),
        ("repeat_offsets", np.zeros(0, np.uint32)),
        ("repeats", np.zeros(4, np.uint32)),
        ("repeats", np.zeros((3, 1), np.uint32)),
    ],
)
def test_refuses_arrays_that_do_not_fit(name: str, array: np.ndarray) -> None:
    codes = BinaryCodes(np.array([[1] * 8, [2] * 8, [1] * 8, [1] * 8, [1] * 8], np.uint8), 64)
    arrays = dict(MultiIndexTables.build(codes).arrays())
    arrays[name] = array
    with pytest.raises(ShapeMismatch):
        MultiIndexTables.from_arrays(codes, arrays)


def test_refuses_other_names_other_codes_and_other_widths() -> None:
    codes = BinaryCodes(np.arange(80, dtype=np.uint8).reshape(10, 8), 64)
    arrays = MultiIndexTables.build(codes).arrays()
    MultiIndexTables.from_arrays(codes, arrays)
    with pytest.raises(ShapeMismatch, match="codes: got 9, expected at least the 10"):
        MultiIndexTables.from_arrays(codes[:9], arrays)
    with pytest.raises(ShapeMismatch, match="chunk_bits"):
        MultiIndexTables.from_arrays(BinaryCodes(np.zeros((10, 9), np.uint8), 72), arrays)
    with pytest.raises(ShapeMismatch, match="names of arrays"):
        MultiIndexTables.from_arrays(codes, {**arrays, "more": arrays["repeats"]})
    with pytest.raises(ShapeMismatch, match="names of arrays"):
        MultiIndexTables.from_arrays(codes, {name: arrays[name] for name in arrays if name != "repeats"})


def test_words_are_a_view_of_the_codes() -> None:
    packed = np.arange(48, dtype=np.uint8).reshape(2, 24)
    words = [unpadded_words(packed[:, :width].copy()) for width in (24, 20, 6, 5)]
    assert [word.dtype.itemsize for word in words] == [8, 4, 1, 1]
    assert np.shares_memory(unpadded_words(packed), packed)
