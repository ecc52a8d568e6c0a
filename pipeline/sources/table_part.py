"""`TablePart`: rows of one Parquet file of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from operators.errors import MediaTooLarge
from pipeline.errors import SourceError
from pipeline.records import FailedItem, FetchedItem, Scalar
from pipeline.sources.container_file import is_store_fault
from pipeline.sources.fetch_fault import CORRUPT, EMPTY, NULL, TOO_LARGE, FetchFault, version_fault
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.media_uri import object_uri, part_uri
from pipeline.sources.parquet_rows import iter_rows, open_parquet, value_at
from pipeline.sources.prefetch import prefetched
from pipeline.sources.referenced_uri import fetch_referenced, resolve_uri
from pipeline.sources.table_columns import TableColumns
from pipeline.sources.task_part import TaskPart


@dataclass(frozen=True, kw_only=True)
class TablePart(TaskPart):
    """Rows `first_row` up to `first_row + num_rows` of `file`.

    `constants`: partition values. `folder_uri`: where relative URIs in the table count from. Without a key column the
    key is `<file>#row=<row of the file>`.
    """

    file: ListedItem
    first_row: int
    num_rows: int
    columns: TableColumns
    constants: tuple[tuple[str, Scalar], ...]
    folder_uri: str

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        return self.pick(range(start, self.num_rows), max_bytes=max_bytes)

    def pick(self, positions: Sequence[int], *, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        if not positions:
            return
        wanted = [self.first_row + position for position in positions]
        fault = version_fault(self.file.uri, self.file.etag)
        num_done = 0
        if fault is None:
            try:
                for record in self._records(wanted, max_bytes):
                    yield record
                    num_done += 1
            except (pa.ArrowException, OSError, SourceError) as error:
                if isinstance(error, MemoryError) or (isinstance(error, OSError) and is_store_fault(error)):
                    raise
                fault = FetchFault(CORRUPT, f"{self.file.uri}: {str(error).splitlines()[0]}")
        if fault is not None:
            for row in wanted[num_done:]:
                yield fault.failed(self._row_key(row), self._row_uri(row))

    def _records(self, wanted: Sequence[int], max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        if self.columns.is_uri:  # each row is a round trip
            return prefetched(lambda row: self._record(*row, max_bytes), self._rows(wanted))
        return (self._record(row, values, max_bytes) for row, values in self._rows(wanted))

    def _rows(self, wanted: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
        constants = dict(self.constants)
        names = [name for name in self.columns.names if name not in constants]
        picked = set(wanted)
        with open_parquet(self.file.uri) as parquet:
            for row, values in iter_rows(parquet, names, range(wanted[0], wanted[-1] + 1)):
                if row in picked:
                    yield row, {**values, **constants}

    def _record(self, row: int, values: dict[str, Any], max_bytes: int) -> FetchedItem | FailedItem:
        columns = self.columns
        key = self._row_key(row) if columns.key is None else value_at(values, columns.key)
        if key is None:
            return FetchFault(NULL, f"column {columns.key!r} is null").failed(self._row_key(row), self._row_uri(row))
        media = self._media(row, value_at(values, columns.media), max_bytes)
        if isinstance(media, FailedItem):
            return FailedItem(key=str(key), uri=media.uri, stage=media.stage, reason=media.reason, detail=media.detail)
        uri, data, etag = media
        label = None if columns.label is None else value_at(values, columns.label)
        return FetchedItem(
            key=str(key),
            uri=uri,
            data=data,
            etag=etag,
            label=None if label is None else str(label),
            carried={name: value_at(values, name) for name in columns.carry},
        )

    def _media(self, row: int, value: Any, max_bytes: int) -> tuple[str, bytes, str] | FailedItem:
        """URI, bytes and version mark of one picture."""
        uri = self._row_uri(row)
        if value is None:
            return FetchFault(NULL, f"column {self.columns.media!r} is null").failed("", uri)
        if not self.columns.is_uri:
            data = checked_cell(value, max_bytes)
            return data.failed("", uri) if isinstance(data, FetchFault) else (uri, data, self.file.etag)
        resolved = resolve_uri(value, self.folder_uri)
        if isinstance(resolved, FetchFault):
            return resolved.failed("", uri)
        fetched = fetch_referenced(resolved, max_bytes=max_bytes)
        if isinstance(fetched, FetchFault):
            return fetched.failed("", object_uri(resolved))
        return object_uri(resolved), *fetched

    def _row_key(self, row: int) -> str:
        return part_uri(self.file.key, f"row={row}")

    def _row_uri(self, row: int) -> str:
        return part_uri(self.file.uri, cell_fragment(row, self.columns.media))


def cell_fragment(row: int, column: str) -> str:
    return f"row={row}&column={quote(column)}"


def checked_cell(value: bytes, max_bytes: int) -> bytes | FetchFault:
    """The bytes in one cell, or what is wrong with them."""
    if len(value) > max_bytes:
        return FetchFault(TOO_LARGE, str(MediaTooLarge("bytes", len(value), max_bytes)))
    return value or FetchFault(EMPTY, "0 bytes")
