"""`QueryTable`: queries from a Parquet file, as codes or as encoded pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from operators.binary_codes import BinaryCodes, concatenate, num_code_bytes
from operators.errors import ShapeMismatch
from pipeline.errors import UsageError

_EXTENSION_MARK = b"ARROW:extension:name"


@dataclass(frozen=True, kw_only=True)
class QueryColumns:
    """Names of the columns to read. None: `code` if the file has it, else `image`; `query_id` if the file has it, else
    the row number counts as the id."""

    code: str | None = None
    image: str | None = None
    query_id: str | None = None


class QueryTable:
    """The queries of one Parquet file, read in batches. Raises `UsageError` for a file or columns that do not fit."""

    def __init__(self, source: str | pa.Buffer, uri: str, columns: QueryColumns) -> None:
        self._uri = uri
        try:
            # Opening a file with registered extension types would run their code: look at the raw metadata first.
            metadata = pq.read_metadata(source).metadata or {}
            if _EXTENSION_MARK in base64.b64decode(metadata.get(b"ARROW:schema", b"")):
                raise UsageError(f"{uri}: has columns of extension types; write plain columns")
            self._file = pq.ParquetFile(source, page_checksum_verification=True)
        except (OSError, ValueError) as error:
            raise UsageError(f"{uri}: not a Parquet file that can be read: {error}") from None
        schema = self._file.schema_arrow
        self.holds_images = self._choose_kind(schema, columns)
        default = "image" if self.holds_images else "code"
        self._values = (columns.image if self.holds_images else columns.code) or default
        self._ids = columns.query_id or ("query_id" if "query_id" in schema.names else None)
        self._check(schema)

    @property
    def num_queries(self) -> int:
        return int(self._file.metadata.num_rows)

    @property
    def id_type(self) -> pa.DataType:
        return self._file.schema_arrow.field(self._ids).type if self._ids else pa.int64()

    def batches(self, max_rows: int) -> Iterator[tuple[pa.Array, pa.Array]]:
        """(query ids, codes or pictures) of at most `max_rows` queries each, in the order of the file."""
        names = [self._values] if self._ids is None else [self._ids, self._values]
        first_row = 0
        try:
            for batch in self._file.iter_batches(batch_size=max_rows, columns=names, use_threads=False):
                rows = pa.array(np.arange(first_row, first_row + batch.num_rows))
                yield (rows if self._ids is None else batch.column(self._ids)), batch.column(self._values)
                first_row += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{self._uri}: cannot be read after row {first_row}: {error}") from None

    def _choose_kind(self, schema: pa.Schema, columns: QueryColumns) -> bool:
        if columns.code and columns.image:
            raise UsageError(f"queries by column {columns.code!r} of codes or {columns.image!r} of pictures: give one")
        if columns.code or columns.image:
            return columns.image is not None
        if "code" not in schema.names and "image" not in schema.names:
            raise UsageError(
                f"{self._uri}: has no column 'code' or 'image', only {', '.join(schema.names)}; name yours"
            )
        return "code" not in schema.names

    def _check(self, schema: pa.Schema) -> None:
        for name in (self._values, *([self._ids] if self._ids else [])):
            if name not in schema.names:
                raise UsageError(f"{self._uri}: has no column {name!r}, only {', '.join(schema.names)}")
        values = schema.field(self._values).type
        expected = "binary" if self.holds_images else "binary, or a string of hexadecimal digits"
        if not (_is_binary(values) or (_is_string(values) and not self.holds_images)):
            raise UsageError(f"{self._uri}: column {self._values!r} is {values}, expected {expected}")
        if not (_is_string(self.id_type) or pa.types.is_integer(self.id_type)):
            raise UsageError(f"{self._uri}: column {self._ids!r} is {self.id_type}, expected a string or an integer")


def parse_codes(values: pa.Array, ids: pa.Array, num_bits: int) -> BinaryCodes:
    """Codes from bytes or hexadecimal strings. Raises `UsageError` naming the query and both widths."""
    codes = []
    for query_id, value in zip(ids.to_pylist(), values.to_pylist(), strict=True):
        try:
            if value is None:
                raise ShapeMismatch("code", "none", f"{num_bits} bits")
            codes.append(BinaryCodes.from_hex(value if isinstance(value, str) else value.hex(), num_bits))
        except ShapeMismatch as error:
            raise UsageError(f"query {query_id!r}: {error}") from None
    nothing = BinaryCodes(np.empty((0, num_code_bytes(num_bits)), np.uint8), num_bits)
    return concatenate([nothing, *codes])


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
