"""Pictures in tables: a Parquet file, a folder of them, or a Delta table, with a column of bytes or of URIs."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from pipeline.errors import EmptySource, ObjectNotFound, SourceError, UsageError
from pipeline.sources.media_uri import quote_fragment
from pipeline.sources.parquet_rows import open_parquet, row_ranges
from pipeline.sources.source import Source, SourceTask
from pipeline.sources.source_root import is_single_file
from pipeline.sources.source_settings import SourceSettings
from pipeline.sources.table_columns import TableColumns, carried_types, check_columns, choose_columns
from pipeline.sources.table_files import TableFile, table_files
from pipeline.sources.table_part import TablePart
from pipeline.sources.task_digest import task_digest


class TableSource(Source):
    """Rows are items, files in order of name. Bytes are read from the column `bytes_column` (or the only binary one),
    or fetched from where `uri_column` says. Versions are those of the table's files: new bytes behind an old URI are
    not noticed."""

    def __init__(self, uri: str, settings: SourceSettings) -> None:
        self._uri = uri
        self._settings = settings

    @property
    def uri(self) -> str:
        return self._uri

    def carried_types(self) -> dict[str, str]:
        """As `Source.carried_types`, by the schema of the first file."""
        listed = table_files(self._uri)
        for file in listed.files:
            schema, _ = _inspect(file, listed.partition_fields, self._settings.task_items)
            return carried_types(choose_columns(self._settings, self._uri, schema), schema)
        raise self._empty()

    def tasks(self) -> Iterator[SourceTask]:
        """As `Source.tasks`. Reads the footer of each file when its turn comes. Raises `UsageError` for a missing or
        unsuitable column, `SourceError` for a file that cannot be read or carries other types than the first."""
        listed = table_files(self._uri)
        folder_uri = self._uri.rpartition("/")[0] if is_single_file(self._uri) else self._uri
        columns: TableColumns | None = None
        types: dict[str, str] = {}
        num_rows = 0
        for file in listed.files:
            schema, ranges = _inspect(file, listed.partition_fields, self._settings.task_items)
            if columns is None:
                columns = choose_columns(self._settings, self._uri, schema)
                types = carried_types(columns, schema)
            _check_same(file, columns, schema, types)
            for rows in ranges:
                num_rows += len(rows)
                yield self._task(file, rows, columns, folder_uri)
        if num_rows == 0:
            raise self._empty()

    def _task(self, file: TableFile, rows: range, columns: TableColumns, folder_uri: str) -> SourceTask:
        part = TablePart(
            file=file.file,
            first_row=rows.start,
            num_rows=len(rows),
            columns=columns,
            constants=file.constants,
            folder_uri=folder_uri,
        )
        asked: list[str | int] = [
            columns.media,
            int(columns.is_uri),
            columns.key or "",
            columns.label or "",
            *columns.carry,
        ]
        # Quoted, so that names and values never run into one another.
        constants = [quote_fragment(f"{name}={value!r}") for name, value in file.constants]
        fields: list[str | int] = [len(asked), *asked, *constants, file.file.key, file.file.size_bytes, file.file.etag]
        return SourceTask(
            source_uri=self._uri,
            digest=task_digest("table", [*fields, part.first_row, part.num_rows]),
            num_items=part.num_rows,
            part=part,
        )

    def _empty(self) -> EmptySource:
        return EmptySource(f"{self._uri}: no rows; expected Parquet files (.parquet) or a Delta table")


def _inspect(file: TableFile, partition_fields: tuple[pa.Field, ...], task_items: int) -> tuple[pa.Schema, list[range]]:
    """Schema, partition columns included, and the row ranges of the tasks."""
    try:
        with open_parquet(file.file.uri) as parquet:
            schema = parquet.schema_arrow
            ranges = list(row_ranges(parquet.metadata, task_items))
    except ObjectNotFound as error:
        raise SourceError(f"{file.file.uri}: disappeared while the table was listed; run again") from error
    own = [field for field in schema if field.name not in {field.name for field in partition_fields}]
    return pa.schema([*own, *partition_fields]), ranges


def _check_same(file: TableFile, columns: TableColumns, schema: pa.Schema, types: dict[str, str]) -> None:
    try:
        check_columns(columns, file.file.uri, schema)
    except UsageError as error:
        raise UsageError(f"{error} (every file of a table needs the columns asked for)") from error
    found = carried_types(columns, schema)
    for name in columns.carry:
        if found[name] != types[name]:
            raise SourceError(
                f"{file.file.uri}: column {name!r} holds {found[name]}, in the first file of the table {types[name]}"
            )
