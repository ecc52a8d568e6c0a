"""The Parquet files of a table: one file, a folder of files, or what the log of a Delta table lists."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipeline.errors import ObjectNotFound, SourceError
from pipeline.object_store.delta_options import delta_storage_options
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.records import Scalar
from pipeline.sources.file_listing import list_files
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.source_root import require_root

# What a reader must understand; anything else changes what the files mean.
_KNOWN_READER_FEATURES = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}

_PARTITION = "partition."


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """`constants`: values of partition columns, which the file itself does not hold."""

    file: ListedItem
    constants: tuple[tuple[str, Scalar], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TableFiles:
    """The files of a table in a stable order; `partition_fields` are the columns held by the table's log only."""

    files: Iterator[TableFile]
    partition_fields: tuple[pa.Field, ...] = ()


def table_files(uri: str) -> TableFiles:
    """Raises `SourceNotFound`, `SourceError`, `StorageError`."""
    if is_delta_table(uri):
        return _delta_files(uri)
    files = (TableFile(file=file) for file in list_files(uri) if is_table_file(file.key))
    return TableFiles(files=files)


def is_delta_table(uri: str) -> bool:
    """Whether the folder or prefix holds a Delta log. Raises `StorageError`."""
    log = join_uri(uri, "_delta_log")
    if scheme_of(uri) != "s3":
        return Path(log).is_dir()
    try:
        return next(iter(open_store(uri).list(log)), None) is not None
    except ObjectNotFound:
        return False


def is_table_file(key: str) -> bool:
    """Names with "_" in front are notes of the writer (`_metadata`), by an old custom of Hadoop."""
    return key.lower().endswith((".parquet", ".pq")) and not any(part.startswith("_") for part in key.split("/"))


def _delta_files(uri: str) -> TableFiles:
    require_root(uri)
    try:
        table = DeltaTable(_delta_location(uri), storage_options=delta_storage_options(uri))
        _refuse_unknown_features(uri, table)
        actions = pa.table(table.get_add_actions(flatten=True)).to_pylist()
        schema = pa.schema(table.schema().to_arrow())
        partition_names = table.metadata().partition_columns
    except DeltaError as error:
        raise SourceError(f"{uri}: cannot be read as a Delta table: {str(error).splitlines()[0]}") from error
    actions.sort(key=lambda action: str(action["path"]).encode())
    return TableFiles(
        files=(_delta_file(uri, action) for action in actions),
        partition_fields=tuple(schema.field(name) for name in partition_names),
    )


def _delta_location(uri: str) -> str:
    """delta-rs parses `s3://` as a URL, in which "#" and "%" have a meaning that they lack in keys."""
    return f"s3://{quote(uri[len('s3://') :])}" if scheme_of(uri) == "s3" else uri


def _refuse_unknown_features(uri: str, table: DeltaTable) -> None:
    unknown = set(table.protocol().reader_features or ()) - _KNOWN_READER_FEATURES
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        unknown.add("columnMapping")
    if unknown:
        raise SourceError(
            f"{uri}: this Delta table uses {', '.join(sorted(unknown))}, which is not read; write it anew without"
        )


def _delta_file(uri: str, action: dict[str, Scalar]) -> TableFile:
    key = unquote(str(action["path"]))
    file_uri = key if scheme_of(key) or key.startswith("/") else join_uri(uri, key)
    try:
        info = open_store(file_uri).info(file_uri)
    except ObjectNotFound as error:
        raise SourceError(f"{file_uri}: missing, although the log of Delta table {uri} lists it") from error
    constants = {name.removeprefix(_PARTITION): value for name, value in action.items() if name.startswith(_PARTITION)}
    return TableFile(
        file=ListedItem(key=key, uri=file_uri, size_bytes=info.size_bytes, etag=info.etag),
        constants=tuple(sorted(constants.items())),
    )
