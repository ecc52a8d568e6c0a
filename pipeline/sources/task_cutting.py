"""Cutting a long list into tasks so that a new or missing file changes one or two tasks and leaves the others alone.

Counting off every n-th file would shift every later task when one file is added. Instead a task starts at a file whose
key hash is the smallest among its neighbours on both sides (after Bjørner, Blass, Gurevich: "Content-dependent chunking
for differential compression, the local maximum approach", JCSS 76, 2010). Whether a file starts a task then depends on
`task_items // 2` neighbours on either side and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from pipeline.sources.listed_item import ListedItem
from pipeline.sources.task_digest import key_hash

# Local minima this far apart are practically never seen; the cap is for memory.
MAX_TASK_RATIO = 4


def cut_tasks(items: Iterable[ListedItem], task_items: int) -> Iterator[tuple[ListedItem, ...]]:
    """Consecutive runs of `items`, about `task_items` each: more than half of it (but for a shorter list, and the rest
    of a run cut at the cap), at most `MAX_TASK_RATIO` times as many. One insertion makes at most two new runs,
    unless a run is at the cap."""
    run: list[ListedItem] = []
    for item, starts_task in _with_starts(items, task_items // 2):
        if run and (starts_task or len(run) == MAX_TASK_RATIO * task_items):
            yield tuple(run)
            run = []
        run.append(item)
    if run:
        yield tuple(run)


def _with_starts(items: Iterable[ListedItem], reach: int) -> Iterator[tuple[ListedItem, bool]]:
    """Every item, with whether it has `reach` neighbours on both sides and its hash is the smallest among them."""
    waiting: deque[ListedItem] = deque()
    minimum = _SlidingMinimum(reach)
    for item in items:
        waiting.append(item)
        minimum.push(key_hash(item.key))
        if len(waiting) > reach:
            yield waiting.popleft(), minimum.advance()
    yield from ((item, False) for item in waiting)


class _SlidingMinimum:
    """Tells for one value after another whether it is the smallest of those within `reach` on both sides. The first
    `reach` values have too few before them and never are."""

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._candidates: deque[tuple[int, int]] = deque()  # (value, index), both ascending
        self._num_values = 0
        self._center = 0

    def push(self, value: int) -> None:
        while self._candidates and self._candidates[-1][0] > value:
            self._candidates.pop()
        self._candidates.append((value, self._num_values))
        self._num_values += 1

    def advance(self) -> bool:
        """Whether the value at the center is the smallest; then the center moves on by one."""
        while self._candidates[0][1] < self._center - self._reach:
            self._candidates.popleft()
        is_smallest = self._center >= self._reach and self._candidates[0][1] == self._center
        self._center += 1
        return is_smallest
