"""Reading the items of a task: exactly one record per item."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.errors import SourceError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.fetch_fault import NOT_FOUND
from pipeline.sources.source import SourceTask
from pipeline.sources.source_root import require_root


def read_items(task: SourceTask, *, start: int = 0, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
    """One record per item from position `start`, in order; a second call goes on exactly where one stopped.

    `max_bytes`: largest picture taken, a larger one becomes a `FailedItem`. Raises `SourceNotFound` when the whole
    source is gone, `StorageError` when the store fails, and `SourceError` rather than giving fewer records than listed.
    """
    num_records = start
    is_root_checked = False
    for record in task.part.read(start=start, max_bytes=max_bytes):
        if isinstance(record, FailedItem) and record.reason == NOT_FOUND and not is_root_checked:
            # An unmounted disk is not a thousand bad pictures.
            require_root(task.source_uri)
            is_root_checked = True
        num_records += 1
        yield record
    if task.num_items is not None and num_records != max(task.num_items, start):
        raise SourceError(f"{task.source_uri}: a task gave {num_records} records for {task.num_items} items")
