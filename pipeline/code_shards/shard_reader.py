"""`read_code_shard`: one stored shard, verified before a value of it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.code_shards.shard_name import ShardName
from pipeline.code_shards.shard_schema import (
    BIT_ORDER,
    REBUILD,
    CollectionIdentity,
    check_schema_version,
    code_schema,
    rejects_schema,
)
from pipeline.errors import CorruptFile, ModelMismatch, ObjectNotFound
from pipeline.object_store.object_store import ObjectStore

_SERIALIZED_SCHEMA = b"ARROW:"
_MAGIC = b"PAR1"


def read_code_shard(
    store: ObjectStore, uri: str, identity: CollectionIdentity, columns: Sequence[str] | None = None
) -> pa.Table:
    """The shard's rows in ascending id order; `columns` None means all.

    Raises `CorruptFile` for a missing, truncated or altered file, a serialized Arrow schema (extension types), or
    columns that are not those of the collection; `StorageError` for a newer schema version; `ModelMismatch`.
    """
    return _read(store, uri, identity, code_schema(identity), columns)


def read_rejects(store: ObjectStore, uri: str, identity: CollectionIdentity) -> pa.Table:
    """The rows of one rejects file, with the same checks."""
    return _read(store, uri, identity, rejects_schema(), None)


def _read(
    store: ObjectStore, uri: str, identity: CollectionIdentity, schema: pa.Schema, columns: Sequence[str] | None
) -> pa.Table:
    data = _verified_bytes(store, uri)
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        _check_metadata(uri, file.metadata.metadata or {}, identity)
        _check_columns(uri, file.schema_arrow, schema)
        return file.read(
            columns=None if columns is None else list(columns), use_threads=False
        ).replace_schema_metadata()
    except (pa.ArrowException, OSError) as error:
        raise CorruptFile(uri, f"not readable as Parquet ({error})", REBUILD) from error


def _verified_bytes(store: ObjectStore, uri: str) -> bytes:
    name = ShardName.parse(uri.rsplit("/", 1)[-1])
    try:
        data = store.read(uri)
    except ObjectNotFound as error:
        raise CorruptFile(uri, "the table lists it but it is not there", REBUILD) from error
    found = hashlib.sha256(data).hexdigest()
    if found != name.sha256:
        wrong = f"its {len(data):,} bytes have sha256 {found}, {name.sha256} was written"
        raise CorruptFile(uri, wrong, REBUILD)
    # Opening a file with a serialized Arrow schema would run the code of registered extension types.
    footer_bytes = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != _MAGIC or footer_bytes > len(data) - 12:
        raise CorruptFile(uri, "it does not end like a Parquet file", REBUILD)
    if _SERIALIZED_SCHEMA in data[-8 - footer_bytes :]:
        raise CorruptFile(uri, "it carries a serialized Arrow schema, which may name extension types", REBUILD)
    return data


def _check_metadata(uri: str, metadata: dict[bytes, bytes], identity: CollectionIdentity) -> None:
    texts = {key.decode(): value.decode() for key, value in metadata.items()}
    check_schema_version(uri, texts.get("schema_version"))
    if texts.get("model_sha256") != identity.model_fingerprint:
        raise ModelMismatch(uri, str(texts.get("model_sha256")), identity.model_fingerprint)
    for key, expected in (("num_bits", str(identity.num_bits)), ("bit_order", BIT_ORDER)):
        if texts.get(key) != expected:
            raise CorruptFile(uri, f"{key} is {texts.get(key)!r}, expected {expected!r}", REBUILD)


def _check_columns(uri: str, found: pa.Schema, expected: pa.Schema) -> None:
    for name in dict.fromkeys([*expected.names, *found.names]):
        if name not in found.names or name not in expected.names:
            wrong = "is missing" if name not in found.names else "is not a column of this collection"
            raise CorruptFile(uri, f"column {name!r} {wrong}", REBUILD)
        if not found.field(name).equals(expected.field(name)):
            wrong = f"column {name!r} is {_described(found.field(name))}, expected {_described(expected.field(name))}"
            raise CorruptFile(uri, wrong, REBUILD)


def _described(column: pa.Field) -> str:
    return f"{column.type}{'' if column.nullable else ' not null'}"
