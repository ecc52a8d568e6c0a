from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from operators.search.join_tables import choose_tables, substring_masks


@pytest.mark.parametrize(("num_bits", "num_substrings", "radius"), [(8, 4, 3), (9, 5, 3), (10, 4, 2), (7, 7, 2)])
def test_every_choice_of_flipped_bits_leaves_a_table_untouched(num_bits: int, num_substrings: int, radius: int) -> None:
    masks = substring_masks(num_bits, num_substrings, num_substrings - radius, 1)[:, 0].tolist()
    for flipped in combinations(range(num_bits), radius):
        change = sum(1 << bit for bit in flipped)
        assert any(change & mask == 0 for mask in masks)


def test_substrings_cross_words() -> None:
    masks = substring_masks(128, 3, 1, 2)
    assert np.bitwise_count(masks).sum(axis=1).tolist() == [42, 43, 43]
    assert np.bitwise_or.reduce(masks).tolist() == [2**64 - 1, 2**64 - 1]
    assert masks[1].tolist() == [(2**64 - 1) ^ (2**42 - 1), 2**21 - 1]


def test_few_codes_are_compared_all_and_many_are_not() -> None:
    words = np.random.default_rng(0).integers(0, 2**63, (20_000, 1), dtype=np.uint64)
    assert choose_tables(words[:50], None, num_bits=64, radius=3).num_substrings == 0
    many = choose_tables(words, None, num_bits=64, radius=3)
    assert many.num_substrings >= 4
    assert many.num_predicted_pairs < 0.01 * len(words) ** 2
    assert choose_tables(words, words[:5], num_bits=64, radius=3).num_substrings == 0


def test_a_large_radius_compares_all() -> None:
    words = np.random.default_rng(0).integers(0, 2**63, (5000, 1), dtype=np.uint64)
    tables = choose_tables(words, None, num_bits=64, radius=20)
    assert tables.masks.tolist() == [[0]]
    assert tables.num_predicted_pairs == 5000 * 4999 / 2


def test_substrings_that_all_codes_share_are_seen_in_the_sample() -> None:
    """With half of the bits constant, tables of one substring compare nearly all pairs; two substrings do better."""
    words = np.random.default_rng(0).integers(0, 2**32, (200_000, 1), dtype=np.uint64)
    skewed = choose_tables(words, None, num_bits=64, radius=3)
    spread = choose_tables(words << np.uint64(32) | words, None, num_bits=64, radius=3)
    assert spread.num_substrings == 4
    assert skewed.num_substrings > 4
