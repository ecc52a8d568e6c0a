"""The near-duplicate join against two loops over all pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.search import near_pairs as near_pairs_module
from operators.search.join_tables import JoinTables, substring_masks
from operators.search.near_pairs import NearPairs, near_pairs, near_pairs_between
from tests.operators.search.near_duplicates import Pair, as_pairs, clustered_codes, pairs_by_force


@settings(max_examples=60, deadline=None)
@given(
    num_bits=st.sampled_from([1, 8, 16, 20, 40, 64, 72, 128, 1024]),
    num_codes=st.integers(0, 70),
    radius=st.integers(0, 12),
    seed=st.integers(0, 2**32),
)
def test_equals_all_pairs(num_bits: int, num_codes: int, radius: int, seed: int) -> None:
    codes, radius = clustered_codes(num_codes, num_bits, seed=seed), min(radius, num_bits - 1)
    found = near_pairs(codes, radius=radius)
    expected = pairs_by_force(codes, None, radius)
    assert as_pairs(found.expand()) == expected
    assert found.num_item_pairs == len(expected)


@settings(max_examples=40, deadline=None)
@given(
    num_bits=st.sampled_from([8, 64, 128]),
    num_codes=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    radius=st.integers(0, 7),
    seed=st.integers(0, 2**32),
)
def test_two_sets_equal_all_pairs(num_bits: int, num_codes: tuple[int, int], radius: int, seed: int) -> None:
    both = clustered_codes(sum(num_codes), num_bits, seed=seed)
    codes, others = both[slice(0, num_codes[0])], both[slice(num_codes[0], None)]
    found = near_pairs_between(codes, others, radius=radius)
    expected = pairs_by_force(codes, others, radius)
    assert as_pairs(found.expand()) == expected
    assert found.num_item_pairs == len(expected)


@pytest.mark.parametrize(("num_substrings", "num_chosen"), [(1, 0), (4, 1), (5, 2), (6, 3)])
@pytest.mark.parametrize("num_bits", [64, 128])
def test_any_tables_give_the_same_pairs(
    num_bits: int, num_substrings: int, num_chosen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few values in a table's bits make large buckets, which go through the masks of 64 codes."""
    codes, radius = clustered_codes(900, num_bits, seed=3), 3
    codes.packed[:, : num_bits // 10] &= 1
    reference = as_pairs(near_pairs(codes, radius=radius).expand())
    masks = substring_masks(num_bits, num_substrings, num_chosen, num_bits // 64)
    monkeypatch.setattr(near_pairs_module, "choose_tables", lambda *_, **__: JoinTables(masks, num_substrings, 1.0))
    monkeypatch.setattr(near_pairs_module, "_PAIRS_AT_ONCE", 5000)
    for num_threads in (1, 3):
        found = near_pairs(codes, radius=radius, num_threads=num_threads)
        assert as_pairs(found.expand()) == reference
    distances = np.bitwise_count(codes.packed[:, None] ^ codes.packed[None]).sum(axis=2, dtype=np.int64)
    assert len(reference) == (np.count_nonzero(distances <= radius) - len(codes)) // 2
    between = near_pairs_between(codes[slice(0, 400)], codes[slice(400, None)], radius=radius)
    assert as_pairs(between.expand()) == [
        (left, right - 400, distance) for left, right, distance in reference if left < 400 <= right
    ]


def test_identical_codes_are_not_paired_one_by_one() -> None:
    packed = np.zeros((100_003, 8), np.uint8)
    packed[-2:, 0] = (0b11, 0b11111111)
    found = near_pairs(BinaryCodes(packed, 64), radius=2)
    assert as_pairs((found.left, found.right, found.distances)) == [(0, 100_001, 2)]
    assert found.num_item_pairs == 100_001 * 100_000 // 2 + 100_001
    assert found.first.tolist() == [0] * 100_001 + [100_001, 100_002]


def closure(pairs: list[Pair]) -> dict[int, set[int]]:
    """Items that pairs at distance 0 connect, by item."""
    groups: dict[int, set[int]] = {}
    for left, right, distance in pairs:
        if distance == 0:
            joined = groups.get(left, {left}) | groups.get(right, {right})
            groups.update(dict.fromkeys(joined, joined))
    return groups


@pytest.mark.parametrize("num_codes", [0, 1, 60])
def test_linked_pairs_tell_all(num_codes: int) -> None:
    codes = clustered_codes(num_codes, 16, seed=4, most_flips=2)
    linked = as_pairs(near_pairs(codes, radius=2).linked())
    expected = pairs_by_force(codes, None, 2)
    assert linked == sorted(set(linked) & set(expected))
    groups = closure(linked)
    told = {
        (min(one, other), max(one, other), distance)
        for left, right, distance in linked
        for one in groups.get(left, {left})
        for other in groups.get(right, {right})
        if one != other
    }
    told |= {(one, other, 0) for group in groups.values() for one in group for other in group if one < other}
    assert sorted(told) == expected
    assert num_codes < 60 or len(linked) < len(expected)


def test_linked_pairs_of_two_sets_name_every_item_of_the_left() -> None:
    codes = BinaryCodes(np.array([[3], [8], [3], [255]], np.uint8), 8)
    others = BinaryCodes(np.array([[3], [3], [1], [8]], np.uint8), 8)
    found = near_pairs_between(codes, others, radius=1)
    assert as_pairs(found.linked()) == [(0, 0, 0), (0, 2, 1), (1, 3, 0), (2, 0, 0), (2, 2, 1)]
    assert found.num_item_pairs == 3 + 1 + 3


def test_pairs_of_different_codes_are_sorted_and_of_first_items() -> None:
    found = near_pairs(clustered_codes(3000, 32, seed=5), radius=4)
    keys = found.left * len(found.first) + found.right
    assert np.all(keys[1:] > keys[:-1])
    assert np.all(found.left < found.right)
    assert np.all(found.first[found.left] == found.left)
    assert np.all(found.first[found.right] == found.right)
    assert found.distances.min() == 1
    assert found.distances.dtype == np.uint16


def test_the_widest_codes_and_a_radius_that_only_the_last_bits_reach() -> None:
    bits = np.zeros((4, 4096), bool)
    bits[1, -300:] = bits[2, -301:] = True
    bits[3, :40] = True
    found = near_pairs(BinaryCodes.from_bits(bits), radius=300)
    assert as_pairs(found.expand()) == [(0, 1, 300), (0, 3, 40), (1, 2, 1)]


@pytest.mark.parametrize("radius", [-1, 16, True, 1.0, "3"])
def test_refuses_a_radius_outside_the_width(radius: Any) -> None:
    codes = BinaryCodes(np.zeros((2, 2), np.uint8), 16)
    with pytest.raises(InvalidSetting, match=r"radius = .*from 0 to 15 for 16 bits"):
        near_pairs(codes, radius=radius)


def test_refuses_no_threads_and_two_widths() -> None:
    codes = BinaryCodes(np.zeros((2, 2), np.uint8), 16)
    with pytest.raises(InvalidSetting, match="num_threads = 0"):
        near_pairs(codes, radius=1, num_threads=0)
    with pytest.raises(ShapeMismatch, match="got 8 bits, expected 16 bits"):
        near_pairs_between(codes, BinaryCodes(np.zeros((2, 1), np.uint8), 8), radius=1)


def test_the_reference_goes_red() -> None:
    """Self-test: a lost pair, another distance or another order is noticed."""
    codes = clustered_codes(50, 16, seed=1)
    found = near_pairs(codes, radius=2)
    expected = pairs_by_force(codes, None, 2)
    lost = NearPairs(found.left[1:], found.right[1:], found.distances[1:], found.first)
    assert as_pairs(lost.expand()) != expected
    assert as_pairs(near_pairs(codes, radius=3).expand()) != expected
