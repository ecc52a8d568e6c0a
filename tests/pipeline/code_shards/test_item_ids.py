from __future__ import annotations

from collections.abc import Container

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.code_shards.item_ids import MAX_SALT, MAX_TASK_ROWS, choose_salt, id_prefix, item_ids
from pipeline.errors import ConflictError, UsageError

TASK_ID = "0123456789abcdef" * 2


@given(st.text("0123456789abcdef", min_size=32, max_size=32), st.integers(0, MAX_SALT), st.integers(0, 50))
def test_ids_are_prefix_and_row(task_id: str, salt: int, num_rows: int) -> None:
    ids = item_ids(task_id, salt, num_rows)
    assert ids.dtype == np.int64
    assert ids.tolist() == [id_prefix(task_id, salt) * 2**20 + row for row in range(num_rows)]
    assert all(0 <= item_id < 2**63 for item_id in ids.tolist())


def test_ids_are_stable_for_ever() -> None:
    """Ids are stored in tables and given to users: this number must never change."""
    assert item_ids(TASK_ID, 0, 2).tolist() == [4756239562743742464, 4756239562743742465]


def test_the_largest_task_just_fits() -> None:
    ids = item_ids(TASK_ID, 3, MAX_TASK_ROWS)
    assert {int(ids[0]) >> 20, int(ids[-1]) >> 20} == {id_prefix(TASK_ID, 3)}
    with pytest.raises(UsageError, match=r"1,048,577 rows, at most 1,048,576"):
        item_ids(TASK_ID, 3, MAX_TASK_ROWS + 1)


@pytest.mark.parametrize("num_taken", [0, 1, 5, MAX_SALT])
def test_a_clash_moves_to_the_next_salt(num_taken: int) -> None:
    taken = {id_prefix(TASK_ID, salt) for salt in range(num_taken)}
    assert choose_salt(TASK_ID, taken) == num_taken


def test_no_free_prefix_is_refused() -> None:
    class Everything(Container[int]):
        def __contains__(self, prefix: object) -> bool:
            return True

    with pytest.raises(ConflictError, match="all 256 id prefixes are taken"):
        choose_salt(TASK_ID, Everything())
