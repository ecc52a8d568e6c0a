"""Byte planes and byte lookups, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.kernels.compiled import compiled
from operators.kernels.lookup_masks import (
    CODES_PER_LOOKUP,
    byte_at,
    byte_planes,
    byte_planes_apart,
    byte_planes_of_pairs,
    has_byte_lookup,
    lookup_masks,
)


@compiled
def _planes(words: np.ndarray, planes: np.ndarray, first: int) -> None:
    byte_planes(words.ctypes.data, np.intp(planes.ctypes.data) + first)


@compiled
def _planes_apart(words: np.ndarray, step: int, planes: np.ndarray, first: int) -> None:
    byte_planes_apart(words.ctypes.data, step, np.intp(planes.ctypes.data) + first)


@compiled
def _planes_of_pairs(words: np.ndarray, planes: np.ndarray, first: int) -> None:
    byte_planes_of_pairs(words.ctypes.data, np.intp(planes.ctypes.data) + first)


@compiled
def _masks(planes: np.ndarray, terms: np.ndarray, most: int, masks: np.ndarray) -> bool:
    found: bool = lookup_masks(planes.ctypes.data, terms.ctypes.data, len(terms), most, masks.ctypes.data)
    return found


@compiled
def _byte(values: np.ndarray, place: int) -> int:
    byte: int = byte_at(values.ctypes.data, place)
    return byte


def _chunk() -> np.ndarray:
    return np.full((8, CODES_PER_LOOKUP), 7, np.uint8)


def test_planes_are_the_transpose() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (64, 8), dtype=np.uint8)
    planes = _chunk()
    _planes(rows.view(np.uint64).ravel(), planes, 64)
    np.testing.assert_array_equal(planes[:, 64:128], rows.T)
    assert (planes[:, :64] == 7).all()
    assert (planes[:, 128:] == 7).all()


@pytest.mark.parametrize("num_words", [1, 3])
def test_planes_of_wider_rows_are_the_transpose(num_words: int) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (64, 8 * num_words), dtype=np.uint8)
    for word in range(num_words):
        planes = _chunk()
        _planes_apart(rows.view(np.uint64).ravel()[word:], 8 * num_words, planes, 192)
        np.testing.assert_array_equal(planes[:, 192:], rows.T[8 * word : 8 * word + 8])
        assert (planes[:, :192] == 7).all()


def test_planes_of_pairs_are_the_transpose() -> None:
    rows = np.random.default_rng(0).integers(0, 256, (64, 16), dtype=np.uint8)
    planes = np.full((16, CODES_PER_LOOKUP), 7, np.uint8)
    _planes_of_pairs(rows.view(np.uint64).ravel(), planes, 128)
    np.testing.assert_array_equal(planes[:, 128:192], rows.T)
    assert (planes[:, :128] == 7).all()
    assert (planes[:, 192:] == 7).all()


def test_bytes_by_address() -> None:
    values = np.array([3, 200, 17], np.uint8)
    assert [_byte(values, place) for place in range(3)] == [3, 200, 17]


@settings(max_examples=50, deadline=None)
@given(num_codebooks=st.integers(1, 70), most=st.integers(0, 255), seed=st.integers(0, 2**32))
def test_masks_name_the_codes_whose_terms_add_to_little(num_codebooks: int, most: int, seed: int) -> None:
    if not has_byte_lookup():
        return  # nothing here comes to such a processor
    rng = np.random.default_rng(seed)
    planes = rng.integers(0, 256, (num_codebooks, CODES_PER_LOOKUP), dtype=np.uint8)
    largest = int(rng.choice([2, 256, max(2, 2 * most // num_codebooks)]))
    terms = rng.integers(0, min(256, largest), (num_codebooks, 256), dtype=np.uint8)
    masks = np.zeros(4, np.uint64)
    any_found = _masks(planes, terms, most, masks)
    sums = sum(terms[book, planes[book]].astype(int) for book in range(num_codebooks))
    found = np.unpackbits(masks.view(np.uint8), bitorder="little").astype(bool)
    np.testing.assert_array_equal(found, np.minimum(sums, 255) <= most)
    assert any_found == found.any()
