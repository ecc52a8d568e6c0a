"""Distances against bit loops, at every width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.kernels.hamming_numpy import hamming_distances, word_columns
from tests.oracles import hamming_by_bits


def random_codes(rng: np.random.Generator, num_items: int, num_bits: int) -> BinaryCodes:
    return BinaryCodes.from_bits(rng.random((num_items, num_bits)) < rng.random())


@settings(max_examples=60, deadline=None)
@given(num_bits=st.integers(1, 4096), num_codes=st.integers(0, 6), seed=st.integers(0, 2**32))
@example(num_bits=1, num_codes=3, seed=0)
@example(num_bits=64, num_codes=3, seed=1)
@example(num_bits=65, num_codes=3, seed=2)
@example(num_bits=4096, num_codes=2, seed=3)
def test_equals_bit_loops(num_bits: int, num_codes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, queries = random_codes(rng, num_codes, num_bits), random_codes(rng, 3, num_bits)
    distances = hamming_distances(word_columns(queries.packed), word_columns(codes.packed))
    assert distances.shape == (3, num_codes)
    expected = [[hamming_by_bits(q, c) for c in codes.to_bits().tolist()] for q in queries.to_bits().tolist()]
    assert distances.tolist() == expected


@pytest.mark.parametrize("num_bits", [8, 16, 32, 64, 192, 248, 256, 1024, 4096])
def test_opposite_codes_do_not_overflow(num_bits: int) -> None:
    zeros, ones = np.zeros((1, num_bits // 8), np.uint8), np.full((1, num_bits // 8), 255, np.uint8)
    assert hamming_distances(word_columns(zeros), word_columns(ones)).tolist() == [[num_bits]]


@pytest.mark.parametrize(("num_bytes", "shape", "item_bytes"), [(1, (1, 5), 1), (3, (1, 5), 4), (9, (2, 5), 8)])
def test_word_layout(num_bytes: int, shape: tuple[int, int], item_bytes: int) -> None:
    words = word_columns(np.zeros((5, num_bytes), np.uint8))
    assert (words.shape, words.dtype.itemsize) == (shape, item_bytes)


def test_reads_a_strided_view_of_a_larger_array() -> None:
    rng = np.random.default_rng(4)
    wide = rng.integers(0, 256, (6, 16), dtype=np.uint8)
    assert np.array_equal(word_columns(wide[::2, :8]), word_columns(wide[::2, :8].copy()))
