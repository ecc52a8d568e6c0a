from __future__ import annotations

import pickle

import pytest

from pipeline.code_shards.encoded_task import EncodedTask, ShardFile
from pipeline.code_shards.shard_name import ShardName
from pipeline.errors import UsageError

NAME = ShardName(source_id="1" * 16, task_id="2" * 32, salt=10, attempt="3" * 16, sha256="4" * 64)


def task_of(num_rows: int, num_rejects: int, num_items: int) -> EncodedTask:
    return EncodedTask(
        source_id=NAME.source_id,
        task_id=NAME.task_id,
        salt=NAME.salt,
        attempt=NAME.attempt,
        code_file=ShardFile(name=NAME.file_name, size_bytes=9, sha256=NAME.sha256, num_rows=num_rows),
        rejects_file=None,
        num_items=num_items,
        num_rows=num_rows,
        num_rejects=num_rejects,
    )


def test_it_crosses_processes_and_knows_its_name() -> None:
    task = pickle.loads(pickle.dumps(task_of(3, 1, 4)))  # noqa: S301
    assert task == task_of(3, 1, 4)
    assert task.shard_name == NAME


@pytest.mark.parametrize(("num_rows", "num_rejects"), [(3, 0), (2, 3), (0, 0)])
def test_nothing_vanishes(num_rows: int, num_rejects: int) -> None:
    with pytest.raises(UsageError, match=f"{num_rows} rows \\+ {num_rejects} rejects, expected 4 items"):
        task_of(num_rows, num_rejects, 4)
