"""The two tables of a collection: columns, file metadata and schema version.

Parquet files hold `code` and `content_sha256` as fixed-size binary; the Delta log, which has no such type, says binary.
Files carry no serialized Arrow schema, so nothing but the Parquet types themselves decides what a reader builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from operators.binary_codes import num_code_bytes
from operators.hashers.hasher import CodeKind
from pipeline.errors import CorruptFile, SettingsError, StorageError

SCHEMA_VERSION = 1
BIT_ORDER = "msb_first"
REBUILD = "restore the file from a backup, or encode its source again into a new collection"

CARRIED_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True, kw_only=True)
class CollectionIdentity:
    """What never changes in a collection: the model (`model_id` "name@3", its 64-hex `model_fingerprint`), the width
    of a code, the `carried` columns (name -> "string", "int64", "double" or "bool"), and whether codes are "binary"
    (Hamming distance) or "quantized" (numbers of codewords)."""

    model_id: str
    model_fingerprint: str
    num_bits: int
    carried: Mapping[str, str] = field(default_factory=dict)
    code_kind: CodeKind = "binary"

    def __post_init__(self) -> None:
        """Raises `SettingsError` for a carried column that is not allowed."""
        own = set(_fixed_columns(self.num_bits).names)
        for name, type_name in self.carried.items():
            if name in own or not name.isprintable() or not name or "ARROW:" in name:
                raise SettingsError(
                    f"carried column {name!r}: this name is taken or not allowed; rename it in the source"
                )
            if type_name not in CARRIED_TYPES:
                known = ", ".join(CARRIED_TYPES)
                raise SettingsError(f"carried column {name!r} has type {type_name!r}; expected one of {known}")


def _fixed_columns(num_bits: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("key", pa.string(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("content_sha256", pa.binary(32), nullable=False),
            pa.field("code", pa.binary(num_code_bytes(num_bits)), nullable=False),
            # No width until a product quantizer gives it one; null for pictures hashed to `code` only.
            pa.field("pq_code", pa.binary()),
            pa.field("media_type", pa.string(), nullable=False),
            pa.field("parent_key", pa.string()),
            pa.field("start_seconds", pa.float64()),
            pa.field("end_seconds", pa.float64()),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("source_etag", pa.string(), nullable=False),
            pa.field("task_id", pa.string(), nullable=False),
            pa.field("model_id", pa.string(), nullable=False),
            pa.field("encoded_at", pa.timestamp("us", tz="UTC"), nullable=False),
            pa.field("label", pa.string()),
        ]
    )


def code_schema(identity: CollectionIdentity) -> pa.Schema:
    """Columns of a code shard, the carried ones last, in the order of their names."""
    schema = _fixed_columns(identity.num_bits)
    for name in sorted(identity.carried):
        schema = schema.append(pa.field(name, CARRIED_TYPES[identity.carried[name]]))
    return schema


def rejects_schema() -> pa.Schema:
    """Columns of a rejects file: one row per item that could not be encoded."""
    texts = ("key", "uri", "stage", "reason", "detail", "source_id", "task_id", "attempt", "model_id")
    schema = pa.schema([pa.field(name, pa.string(), nullable=False) for name in texts])
    return schema.append(pa.field("rejected_at", pa.timestamp("us", tz="UTC"), nullable=False))


def logical_schema(schema: pa.Schema) -> pa.Schema:
    """The same columns as the Delta log names them: every binary without its width."""
    fields = [f.with_type(pa.binary()) if pa.types.is_fixed_size_binary(f.type) else f for f in schema]
    return pa.schema(fields)


def file_metadata(identity: CollectionIdentity, settings_sha256: str) -> dict[str, str]:
    """Key-value metadata of every file."""
    return {
        "schema_version": str(SCHEMA_VERSION),
        "num_bits": str(identity.num_bits),
        "bit_order": BIT_ORDER,
        "code_kind": identity.code_kind,
        "model_sha256": identity.model_fingerprint,
        "settings_sha256": settings_sha256,
    }


def check_schema_version(uri: str, version: str | None) -> None:
    """Raises `StorageError` for a newer version than this code reads, `CorruptFile` when there is none."""
    if version is None or not version.isdecimal():
        raise CorruptFile(uri, f"schema_version is {version!r}, expected a number", REBUILD)
    if int(version) > SCHEMA_VERSION:
        raise StorageError(
            f"{uri} was written by v{version}, this reads <= v{SCHEMA_VERSION}; upgrade bitquarry to read it"
        )
