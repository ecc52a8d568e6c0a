from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pipeline.errors import SourceError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.source import SourceTask
from pipeline.sources.task_part import TaskPart


@dataclass(frozen=True)
class ShortPart(TaskPart):
    num_given: int

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        for number in range(start, self.num_given):
            yield FetchedItem(key=str(number), uri=str(number), data=b"x", etag="")


def task(num_given: int, num_items: int | None) -> SourceTask:
    return SourceTask(source_uri="/source", digest="0" * 32, num_items=num_items, part=ShortPart(num_given))


@pytest.mark.parametrize("num_given", [2, 4])
def test_another_number_of_records_than_listed_is_an_error(num_given: int) -> None:
    with pytest.raises(SourceError, match=f"/source: a task gave {num_given} records for 3 items"):
        list(read_items(task(num_given, 3), max_bytes=9))


@pytest.mark.parametrize("num_items", [3, None])
def test_counted_and_uncounted_tasks_are_read_whole(num_items: int | None) -> None:
    assert [item.key for item in read_items(task(3, num_items), start=1, max_bytes=9)] == ["1", "2"]
    assert list(read_items(task(3, num_items), start=3, max_bytes=9)) == []


def test_pick_gives_the_asked_positions() -> None:
    picked = task(9, 9).part.pick([2, 3, 7], max_bytes=9)
    assert [item.key for item in picked] == ["2", "3", "7"]
    assert list(task(9, 9).part.pick([], max_bytes=9)) == []
