"""A random sample of a source's items that depends on the content and the seed only."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.source import Source, SourceTask


def sample_items(source: Source, *, num_items: int, seed: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
    """Up to `num_items` records. Failed ones count, so that the sample never depends on the weather.

    Counted tasks: those with the smallest hash of (seed, task digest, position), a uniform sample without replacement,
    in source order; lists the source twice, memory grows with `num_items`. Tars: all items of whole tars, in the order
    of hash (seed, digest), as one item of a tar costs as much as the tar.
    """
    if num_items <= 0:
        return
    picked = _smallest(source, num_items, seed)
    if picked is None:
        yield from _from_whole_tasks(source, num_items, seed, max_bytes)
        return
    by_task = {
        task: [int(position) for _, position in group] for task, group in groupby(picked, key=lambda pair: pair[0])
    }
    for number, task in enumerate(source.tasks()):
        if number in by_task:
            yield from task.part.pick(by_task[number], max_bytes=max_bytes)


def _smallest(source: Source, num_items: int, seed: int) -> list[tuple[int, int]] | None:
    """(task number, position) of the items with the smallest hashes, ascending; None when tasks are uncounted."""
    scores = np.empty(0, np.uint64)
    places = np.empty((0, 2), np.int64)
    for number, task in enumerate(source.tasks()):
        if task.num_items is None:
            return None
        positions = np.arange(task.num_items)
        scores = np.concatenate([scores, _scores(seed, task)])
        places = np.concatenate([places, np.stack([np.full_like(positions, number), positions], axis=1)])
        if len(scores) > num_items:
            kept = np.argsort(scores, kind="stable")[:num_items]
            scores, places = scores[kept], places[kept]
    return sorted((int(number), int(position)) for number, position in places)


def _scores(seed: int, task: SourceTask) -> NDArray[np.uint64]:
    """One 64-bit hash per position. Raw PCG64 output is fixed by NumPy's stream guarantee."""
    generator = np.random.PCG64(_task_hash(seed, task))
    return np.asarray(generator.random_raw(task.num_items), dtype=np.uint64)


def _from_whole_tasks(source: Source, num_items: int, seed: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
    remaining = num_items
    for task in sorted(source.tasks(), key=lambda task: _task_hash(seed, task)):
        for record in read_items(task, max_bytes=max_bytes):
            yield record
            remaining -= 1
            if remaining == 0:
                return


def _task_hash(seed: int, task: SourceTask) -> int:
    digest = hashlib.blake2b(f"{seed}:{task.digest}".encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")
