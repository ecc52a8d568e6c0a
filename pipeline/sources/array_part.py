"""`ArrayPart`: rows of a file of equally large pixel arrays, each given out as a BMP."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.errors import MediaTooLarge
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.bitmap_bytes import bitmap_bytes
from pipeline.sources.container_file import DAMAGED_GZIP
from pipeline.sources.fetch_fault import CORRUPT, TOO_LARGE, TRUNCATED, FetchFault, version_fault
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.media_uri import part_uri
from pipeline.sources.record_file import read_records
from pipeline.sources.task_part import TaskPart


@dataclass(frozen=True, kw_only=True)
class ArrayPart(TaskPart):
    """Rows `first_row` up to `first_row + num_rows` of `file`. Keys and URIs end in `#<row of the file>`."""

    file: ListedItem
    first_row: int
    num_rows: int
    header_bytes: int
    record_bytes: int

    @abstractmethod
    def decode(self, record: bytes) -> tuple[NDArray[np.uint8], str | None]:
        """Pixels (as `bitmap_bytes` takes them) and the label in the record, if it is there. Raises `ValueError`."""

    def labels(self, rows: range) -> Iterator[str | None]:
        """Labels that lie in another file, row by row; None where `decode` finds the label or there is none."""
        return (None for _ in rows)

    def version_fault(self) -> FetchFault | None:
        """Whether a file that the rows come from is gone or another version than the listed one."""
        return version_fault(self.file.uri, self.file.etag)

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        rows = range(self.first_row + start, self.first_row + self.num_rows)
        fault = self.version_fault()
        row = rows.start
        if fault is None:
            try:
                for record, label in zip(self._records(rows), self.labels(rows), strict=False):
                    yield self._item(row, record, label, max_bytes)
                    row += 1
                fault = FetchFault(TRUNCATED, f"{self.file.uri}: ends before row {row}")
            except DAMAGED_GZIP as error:
                fault = FetchFault(CORRUPT, f"{self.file.uri}: damaged compressed data: {error}")
        for failed in range(row, rows.stop):
            yield fault.failed(*self._names(failed))

    def _records(self, rows: range) -> Iterator[bytes]:
        return read_records(self.file.uri, header_bytes=self.header_bytes, record_bytes=self.record_bytes, rows=rows)

    def _item(self, row: int, record: bytes, label: str | None, max_bytes: int) -> FetchedItem | FailedItem:
        key, uri = self._names(row)
        picture = self.picture(record, max_bytes)
        if isinstance(picture, FetchFault):
            return picture.failed(key, uri)
        data, own_label = picture
        return FetchedItem(key=key, uri=uri, data=data, etag=self.file.etag, label=own_label or label)

    def picture(self, record: bytes, max_bytes: int) -> tuple[bytes, str | None] | FetchFault:
        """A record as BMP bytes and label, or what is wrong with it."""
        if len(record) < self.record_bytes:
            return FetchFault(
                TRUNCATED, f"{len(record):,} of {self.record_bytes:,} bytes; the file ends inside this row"
            )
        try:
            pixels, label = self.decode(record)
        except ValueError as error:
            return FetchFault(CORRUPT, str(error))
        data = bitmap_bytes(pixels)
        if len(data) > max_bytes:
            return FetchFault(TOO_LARGE, str(MediaTooLarge("bytes", len(data), max_bytes)))
        return data, label

    def _names(self, row: int) -> tuple[str, str]:
        return part_uri(self.file.key, str(row)), part_uri(self.file.uri, str(row))
