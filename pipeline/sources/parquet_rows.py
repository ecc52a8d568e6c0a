"""Reading rows of a Parquet file batch by batch, and only Parquet that is safe to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SourceError
from pipeline.sources.container_file import READ_AHEAD_BYTES, is_store_fault, open_container

# Rows may hold pictures of many megabytes.
_BATCH_ROWS = 16

# More tasks per row group would read its beginning too often: a task has to decode the rows before its own.
MAX_TASKS_PER_ROW_GROUP = 16


@contextmanager
def open_parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """The file, for reading page by page; page checksums are verified where the writer left some.

    Raises `SourceError` when it is no Parquet or holds extension types (their metadata has run code in other readers:
    CVE-2026-41486), `ObjectNotFound`, `StorageError`.
    """
    with open_container(uri) as file:
        try:
            parquet = pq.ParquetFile(
                file, buffer_size=READ_AHEAD_BYTES, pre_buffer=False, page_checksum_verification=True
            )
            schema = parquet.schema_arrow
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and is_store_fault(error):
                raise
            raise SourceError(f"{uri}: cannot be read as Parquet: {str(error).splitlines()[0]}") from error
        refuse_extension_types(uri, schema)
        yield parquet


def refuse_extension_types(uri: str, fields: Sequence[pa.Field] | pa.Schema) -> None:
    """Raise `SourceError` for a field, at any depth, with an extension type."""
    for field in fields:
        if isinstance(field.type, pa.BaseExtensionType) or b"ARROW:extension:name" in (field.metadata or {}):
            raise SourceError(
                f"{uri}: column {field.name!r} has an extension type, which is never read; drop the column"
            )
        children = [field.type.field(at) for at in range(field.type.num_fields)]
        refuse_extension_types(uri, children)


def row_ranges(metadata: pq.FileMetaData, task_items: int) -> Iterator[range]:
    """Row ranges of about `task_items` rows that cut row groups as little as possible: small groups are joined, large
    ones cut into at most `MAX_TASKS_PER_ROW_GROUP` equal pieces."""
    start = stop = 0
    for group in range(metadata.num_row_groups):
        num_rows = metadata.row_group(group).num_rows
        if start < stop and stop - start + num_rows > task_items:
            yield range(start, stop)
            start = stop
        stop += num_rows
        if stop - start > task_items:
            yield from _pieces(range(start, stop), task_items)
            start = stop
    if start < stop:
        yield range(start, stop)


def _pieces(rows: range, task_items: int) -> Iterator[range]:
    num_pieces = min(-(-len(rows) // task_items), MAX_TASKS_PER_ROW_GROUP)
    bounds = [rows.start + len(rows) * piece // num_pieces for piece in range(num_pieces + 1)]
    yield from (range(begin, end) for begin, end in pairwise(bounds))


def iter_rows(parquet: pq.ParquetFile, columns: Sequence[str], rows: range) -> Iterator[tuple[int, dict[str, Any]]]:
    """Row number in the file and values by column, for `rows` (consecutive). `columns` may name fields of structs
    (`image.bytes`). Memory: a batch of 16 rows and one page per column."""
    groups, position = _groups_of(parquet.metadata, rows)
    for batch in parquet.iter_batches(
        batch_size=_BATCH_ROWS, row_groups=groups, columns=list(columns), use_threads=False
    ):
        begin = max(rows.start - position, 0)
        end = min(rows.stop - position, batch.num_rows)
        if begin < end:
            yield from enumerate(batch.slice(begin, end - begin).to_pylist(), position + begin)
        position += batch.num_rows
        if position >= rows.stop:
            return


def value_at(row: dict[str, Any], column: str) -> Any:
    """The value of a column, or of a field of a struct; None where the struct itself is null."""
    if column in row:
        return row[column]
    name, _, rest = column.partition(".")
    inner = row.get(name)
    return None if inner is None else value_at(inner, rest)


def _groups_of(metadata: pq.FileMetaData, rows: range) -> tuple[list[int], int]:
    """Row groups that overlap `rows`, and the row number at which the first of them begins."""
    groups: list[int] = []
    position = first_row = 0
    for group in range(metadata.num_row_groups):
        end = position + metadata.row_group(group).num_rows
        if position < rows.stop and end > rows.start:
            if not groups:
                first_row = position
            groups.append(group)
        position = end
    return groups, first_row
