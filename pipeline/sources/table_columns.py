"""Which columns of a table are pictures, keys, labels and carried along; checked against the table's schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from pipeline.errors import UsageError
from pipeline.sources.source_settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class TableColumns:
    """`media` holds picture bytes, or their URIs when `is_uri`. Names may be fields of structs (`image.bytes`)."""

    media: str
    is_uri: bool
    key: str | None
    label: str | None
    carry: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every column that has to be read, each once."""
        others = [name for name in (self.key, self.label, *self.carry) if name is not None]
        return tuple(dict.fromkeys((self.media, *others)))


def choose_columns(settings: SourceSettings, table_uri: str, schema: pa.Schema) -> TableColumns:
    """The columns that the settings name, or the only column of bytes when they name none.

    Raises `UsageError` for a missing column, naming the known ones, and for one of an unsuitable type.
    """
    types = flat_types(schema)
    media = settings.bytes_column or settings.uri_column or _only_bytes_column(table_uri, types)
    columns = TableColumns(
        media=media,
        is_uri=settings.uri_column is not None,
        key=settings.key_column,
        label=settings.label_column,
        carry=settings.carry,
    )
    check_columns(columns, table_uri, schema)
    return columns


def check_columns(columns: TableColumns, table_uri: str, schema: pa.Schema) -> None:
    """Raise `UsageError` when a column is missing from `schema` or of an unsuitable type."""
    types = flat_types(schema)
    for name in columns.names:
        if name not in types:
            raise UsageError(f"{table_uri}: no column {name!r}; known: {', '.join(types)}")
    if columns.is_uri:
        _require(table_uri, types, columns.media, "uri_column", ("string",))
    elif not _is_bytes(types[columns.media]):
        raise UsageError(
            f"{table_uri}: bytes_column = {columns.media!r} is {types[columns.media]}, expected binary; "
            "for a column of paths or URIs give uri_column"
        )
    if columns.key is not None:
        _require(table_uri, types, columns.key, "key_column", ("string", "int64"))
    if columns.label is not None:
        _require(table_uri, types, columns.label, "label_column", ("string", "int64", "bool"))
    for name in columns.carry:
        _require(table_uri, types, name, "carry", ("string", "int64", "double", "bool"))


def carried_types(columns: TableColumns, schema: pa.Schema) -> dict[str, str]:
    """Name to type of the carried columns, as `Source.carried_types`."""
    types = flat_types(schema)
    return {name: scalar_type(types[name]) or "" for name in columns.carry}


def flat_types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Columns, and fields of structs under dotted names, with their types."""
    types: dict[str, pa.DataType] = {}
    pending = [(field.name, field.type) for field in reversed(list(schema))]
    while pending:
        name, arrow_type = pending.pop()
        types.setdefault(name, arrow_type)
        if pa.types.is_struct(arrow_type):
            pending.extend((f"{name}.{field.name}", field.type) for field in reversed(list(arrow_type)))
    return types


def scalar_type(arrow_type: pa.DataType) -> str | None:
    """ "string", "int64", "double" or "bool" for what fits into it without loss, else None."""
    if pa.types.is_dictionary(arrow_type):
        return scalar_type(arrow_type.value_type)
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type) or pa.types.is_string_view(arrow_type):
        return "string"
    if pa.types.is_integer(arrow_type) and arrow_type != pa.uint64():
        return "int64"
    if pa.types.is_floating(arrow_type):
        return "double"
    return "bool" if pa.types.is_boolean(arrow_type) else None


def _require(
    table_uri: str, types: Mapping[str, pa.DataType], name: str, setting: str, expected: tuple[str, ...]
) -> None:
    if scalar_type(types[name]) not in expected:
        raise UsageError(f"{table_uri}: {setting} {name!r} is {types[name]}, expected {' or '.join(expected)}")


def _is_bytes(arrow_type: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type) or pa.types.is_binary_view(arrow_type)
    )


def _only_bytes_column(table_uri: str, types: Mapping[str, pa.DataType]) -> str:
    found = [name for name, arrow_type in types.items() if _is_bytes(arrow_type)]
    if len(found) == 1:
        return found[0]
    raise UsageError(
        f"{table_uri}: {len(found)} columns of bytes{': ' if found else ''}{', '.join(found)}; "
        f"say which column holds pictures (bytes_column) or their URIs (uri_column); known: {', '.join(types)}"
    )
