"""`EncodedRow`, and rows to Arrow columns with errors that name column and item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pipeline.errors import SourceError
from pipeline.records import Scalar

_CAST_ERRORS = (pa.ArrowException, OverflowError, TypeError, ValueError)


@dataclass(frozen=True, kw_only=True)
class EncodedRow:
    """All that is known of one encoded picture but its code. `width` and `height` in pixels, after rotation;
    `content_sha256` 32 bytes; `parent_key`, `start_seconds` and `end_seconds` are for video segments."""

    key: str
    uri: str
    content_sha256: bytes
    media_type: str
    width: int
    height: int
    source_etag: str
    label: str | None = None
    carried: Mapping[str, Scalar] = field(default_factory=dict)
    parent_key: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None


def typed_column(column: pa.Field, values: Sequence[object], keys: Sequence[str]) -> pa.Array:
    """One Arrow array of the column's type; `keys` names the items. Raises `SourceError` naming column and item."""
    # Arrow alone would cut 1.5 to 1 for an integer column.
    if all(_has_type(column, value) for value in values):
        try:
            return pa.array(values, type=column.type)
        except _CAST_ERRORS:
            pass
    for value, key in zip(values, keys, strict=True):
        if not _fits(column, value):
            raise SourceError(
                f"column {column.name!r} of item {key!r}: got {value!r:.200}, expected {_expected(column)}; "
                "correct it in the source"
            )
    raise SourceError(f"column {column.name!r} cannot be stored as {column.type}")


def _has_type(column: pa.Field, value: object) -> bool:
    if value is None:
        return bool(column.nullable)
    if pa.types.is_integer(column.type):
        return type(value) is int
    if pa.types.is_floating(column.type):
        return type(value) in (int, float)
    if pa.types.is_string(column.type):
        return type(value) is str
    return True


def _fits(column: pa.Field, value: object) -> bool:
    try:
        return _has_type(column, value) and pa.array([value], type=column.type) is not None
    except _CAST_ERRORS:
        return False


def _expected(column: pa.Field) -> str:
    return f"{column.type} or nothing" if column.nullable else str(column.type)


def rows_to_columns(rows: Sequence[EncodedRow], schema: pa.Schema, carried: Mapping[str, str]) -> dict[str, pa.Array]:
    """The columns of `schema` that rows hold. Raises `SourceError` for a value, or a set of carried columns, that does
    not match, naming the item."""
    for row in rows:
        if row.carried.keys() != carried.keys():
            raise SourceError(
                f"item {row.key!r} carries columns {sorted(row.carried)}, expected {sorted(carried)}; "
                "correct the source"
            )
    keys = [row.key for row in rows]
    own = [name for name in EncodedRow.__dataclass_fields__ if name != "carried"]
    values: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in own}
    values |= {name: [row.carried[name] for row in rows] for name in carried}
    return {name: typed_column(schema.field(name), column, keys) for name, column in values.items()}
