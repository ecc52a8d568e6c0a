"""Item ids: int64, unique in a collection, assigned by each worker alone.

id = prefix (43 bits, from the task id and a salt) << 20 | row. The committer refuses a prefix that is taken; the salt
then moves the task to another one. Ids of one task ascend, and so do those of shards in order of prefix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConflictError, UsageError

NUM_PREFIX_BITS = 43
NUM_ROW_BITS = 20
MAX_TASK_ROWS = 1 << NUM_ROW_BITS
MAX_SALT = 255


def id_prefix(task_id: str, salt: int) -> int:
    """The upper 43 bits of every id in the task: 0 <= prefix < 2**43."""
    digest = hashlib.blake2b(f"{task_id}/{salt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - NUM_PREFIX_BITS)


def item_ids(task_id: str, salt: int, num_rows: int) -> NDArray[np.int64]:
    """Ids `(num_rows,)`, ascending and >= 0. Raises `UsageError` for more than 2**20 rows."""
    if num_rows > MAX_TASK_ROWS:
        raise UsageError(f"task {task_id} has {num_rows:,} rows, at most {MAX_TASK_ROWS:,}; set smaller tasks or tars")
    first = id_prefix(task_id, salt) << NUM_ROW_BITS
    return np.arange(first, first + num_rows, dtype=np.int64)


def choose_salt(task_id: str, taken_prefixes: Container[int]) -> int:
    """The first salt whose prefix is free. Raises `ConflictError` when none of the 256 is."""
    for salt in range(MAX_SALT + 1):
        if id_prefix(task_id, salt) not in taken_prefixes:
            return salt
    raise ConflictError(f"task {task_id}: all {MAX_SALT + 1} id prefixes are taken; encode into another collection")
