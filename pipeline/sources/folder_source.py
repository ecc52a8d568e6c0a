"""Pictures as files below a local folder or an S3 prefix."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.errors import EmptySource
from pipeline.object_store.uri_path import scheme_of
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.fetch_fault import FetchFault, fetch_object
from pipeline.sources.file_listing import NAME_NOT_UTF8, list_files
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.media_uri import object_uri
from pipeline.sources.picture_names import PICTURE_EXTENSIONS, is_picture_name
from pipeline.sources.prefetch import prefetched
from pipeline.sources.source import Source, SourceTask
from pipeline.sources.source_settings import SourceSettings, refuse_columns
from pipeline.sources.task_cutting import cut_tasks
from pipeline.sources.task_digest import task_digest
from pipeline.sources.task_part import TaskPart

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ListedPart(TaskPart):
    """Files, each fetched whole in the version that was listed."""

    items: tuple[ListedItem, ...]

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        return self.pick(range(start, len(self.items)), max_bytes=max_bytes)

    def pick(self, positions: Sequence[int], *, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        items = (self.items[position] for position in positions)
        if self.items and scheme_of(self.items[0].uri):
            return prefetched(lambda item: _fetch(item, max_bytes), items)
        return (_fetch(item, max_bytes) for item in items)


class FolderSource(Source):
    """Files are chosen by extension, in any case; other files are counted and left out, hidden ones are not seen.

    The key is the path below the root. The label is the first folder below the root (the rule of torchvision's
    `ImageFolder`, so `root/cat/2024/1.jpg` is a cat); files in the root itself have none.
    """

    def __init__(self, uri: str, settings: SourceSettings) -> None:
        refuse_columns(settings, "a folder of pictures")
        self._uri = uri
        self._task_items = settings.task_items
        self.num_other_files = 0

    @property
    def uri(self) -> str:
        return self._uri

    def carried_types(self) -> dict[str, str]:
        return {}

    def tasks(self) -> Iterator[SourceTask]:
        """As `Source.tasks`. Afterwards `num_other_files` says how many files are no pictures by their extension."""
        num_pictures = 0
        for items in cut_tasks(self._pictures(), self._task_items):
            num_pictures += len(items)
            yield _task(self._uri, items)
        if num_pictures == 0:
            raise EmptySource(
                f"{self._uri}: no pictures among {self.num_other_files} files; expected names ending in "
                f"{', '.join(PICTURE_EXTENSIONS)}"
            )
        _logger.info("%s: %d pictures, %d other files left out", self._uri, num_pictures, self.num_other_files)

    def _pictures(self) -> Iterator[ListedItem]:
        self.num_other_files = 0
        for item in list_files(self._uri):
            if is_picture_name(item.key):
                yield item
            else:
                self.num_other_files += 1


def _task(source_uri: str, items: tuple[ListedItem, ...]) -> SourceTask:
    fields = [field for item in items for field in (item.key, item.size_bytes, item.etag)]
    return SourceTask(
        source_uri=source_uri,
        digest=task_digest("folder", fields),
        num_items=len(items),
        part=ListedPart(items=items),
    )


def _fetch(item: ListedItem, max_bytes: int) -> FetchedItem | FailedItem:
    uri = object_uri(item.uri)
    if item.fault == NAME_NOT_UTF8:
        return FetchFault(item.fault, f"{item.uri}: the file's name is not UTF-8; rename it").failed(item.key, uri)
    data = fetch_object(item.uri, max_bytes=max_bytes, etag=item.etag)
    if isinstance(data, FetchFault):
        return data.failed(item.key, uri)
    return FetchedItem(key=item.key, uri=uri, data=data, etag=item.etag, label=folder_label(item.key))


def folder_label(key: str) -> str | None:
    """The first folder in a key; None for a file in the root."""
    folder, slash, _ = key.partition("/")
    return folder if slash and folder else None
