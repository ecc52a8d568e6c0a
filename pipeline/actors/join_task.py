"""Joins of shards as Ray tasks, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError

from operators.search.pair_order import PairArrays
from pipeline.errors import TaskFailed
from pipeline.interrupts import raise_if_interrupted
from pipeline.shard_index.shard_join import ShardJoin, join_shards

# A join reads and returns, so Ray may run it again when a worker dies.
_join_remotely = ray.remote(num_cpus=1)(join_shards)


def joined_shards(tasks: Sequence[ShardJoin], *, num_at_once: int) -> Iterator[PairArrays]:
    """The pairs of every task as they come, `num_at_once` tasks in flight, in the Ray that the caller has joined.

    Raises what `join_shards` raises, and `TaskFailed` for a task whose worker died again and again. Tasks in flight are
    cancelled when the caller stops early.
    """
    waiting, running = list(reversed(tasks)), dict[Any, ShardJoin]()
    try:
        while waiting or running:
            raise_if_interrupted()
            while waiting and len(running) < num_at_once:
                task = waiting.pop()
                running[_join_remotely.remote(task)] = task
            done, _ = ray.wait(list(running), num_returns=1)
            yield _result(done[0], running.pop(done[0]))
    finally:
        for ref in running:
            ray.cancel(ref, force=True)


def _result(ref: Any, task: ShardJoin) -> PairArrays:
    try:
        left, right, distances = ray.get(ref)
    except RayTaskError as error:
        raise_if_interrupted()  # Ctrl-C in a terminal reaches the workers too
        raise error.cause from None
    except (WorkerCrashedError, OutOfMemoryError) as error:
        raise_if_interrupted()
        reason = str(error).strip().splitlines()[0]
        raise TaskFailed(
            f"the join of {task.left_shard} and {task.right_shard} failed again and again, at last with: {reason}; "
            "build the index with more, smaller shards"
        ) from None
    return left, right, distances
