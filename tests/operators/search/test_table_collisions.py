"""Collision ranking against one loop over tables."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, ShapeMismatch
from operators.search.table_collisions import bucket_columns, search_table_collisions
from tests.oracles import missed_tables, rank_everything, rankings_of


@settings(max_examples=80, deadline=None)
@given(
    num_tables=st.integers(1, 18),
    table_bits=st.one_of(st.integers(1, 4), st.sampled_from([8, 12, 16, 33, 64])),
    num_codes=st.integers(0, 25),
    k=st.integers(1, 30),
    seed=st.integers(0, 2**32),
)
def test_equals_oracle(num_tables: int, table_bits: int, num_codes: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    buckets = rng.random((3, num_tables, table_bits)) < 0.5
    picked = rng.integers(0, 3, (num_codes + 2, num_tables))
    bits = np.take_along_axis(buckets, picked[:, :, None], axis=0).reshape(num_codes + 2, -1)
    codes, queries = BinaryCodes.from_bits(bits[2:]), BinaryCodes.from_bits(bits[:2])
    ids = np.cumsum(rng.integers(1, 9, num_codes))
    everything = rank_everything(codes, ids, queries, partial(missed_tables, num_tables=num_tables))
    candidates = [[pair for pair in ranking if pair[0] < num_tables] for ranking in everything]
    answer = search_table_collisions(codes, ids, queries, num_tables=num_tables, k=k)
    assert rankings_of(answer) == [ranking[:k] for ranking in candidates]


def test_an_item_that_collides_nowhere_is_no_answer() -> None:
    codes = BinaryCodes.from_bits(np.array([[0, 0, 1, 1], [1, 1, 0, 0]], dtype=bool))
    answer = search_table_collisions(codes, np.arange(2), codes[slice(0, 1)], num_tables=2, k=2)
    assert rankings_of(answer) == [[(0, 0)]]


def test_tables_are_consecutive_bits() -> None:
    codes = BinaryCodes.from_bits(np.array([[1, 0, 0, 0, 1, 1]], dtype=bool))
    first, second = bucket_columns(codes, 2)[:, 0].tolist()
    assert (first, second) == (0b10000000, 0b01100000)


@pytest.mark.parametrize("num_tables", [0, -2, True, 2.0, 5])
def test_refuses_tables_that_do_not_divide_the_bits(num_tables: Any) -> None:
    codes = BinaryCodes.from_bits(np.zeros((2, 16), bool))
    with pytest.raises(InvalidSetting, match="num_tables = "):
        search_table_collisions(codes, np.arange(2), codes, num_tables=num_tables, k=1)


def test_refuses_too_wide_tables_and_another_width() -> None:
    codes = BinaryCodes.from_bits(np.zeros((2, 65), bool))
    with pytest.raises(InvalidSetting, match="at most 64 bits"):
        search_table_collisions(codes, np.arange(2), codes, num_tables=1, k=1)
    with pytest.raises(ShapeMismatch, match="65 bits"):
        search_table_collisions(codes, np.arange(2), BinaryCodes.from_bits(np.zeros((1, 8), bool)), num_tables=1, k=1)
