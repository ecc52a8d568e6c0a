"""`write_task`: the rows of one task to one Parquet file of codes, and its rejects to another."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from operators.binary_codes import BinaryCodes
from operators.errors import ShapeMismatch
from pipeline.code_shards.encoded_row import EncodedRow, rows_to_columns, typed_column
from pipeline.code_shards.encoded_task import EncodedTask, ShardFile
from pipeline.code_shards.item_ids import item_ids
from pipeline.code_shards.shard_name import ShardName
from pipeline.code_shards.shard_schema import CollectionIdentity, code_schema, file_metadata, rejects_schema
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.uri_path import join_uri
from pipeline.records import FailedItem

_REPEATING = ["media_type", "label", "task_id", "model_id", "source_id", "attempt", "stage", "reason"]


@dataclass(frozen=True, kw_only=True)
class ShardSettings:
    """One attempt at one task. `encoded_at` must carry a time zone; the same settings and rows give the same bytes.

    `num_items` is what the source listed (or, for a tar, what was read from it): rows and rejects must add up to it.
    """

    collection_uri: str
    identity: CollectionIdentity
    settings_sha256: str
    source_id: str
    task_id: str
    salt: int
    attempt: str
    encoded_at: datetime
    num_items: int


def write_task(
    store: ObjectStore,
    settings: ShardSettings,
    rows: Sequence[EncodedRow],
    codes: BinaryCodes,
    rejects: Sequence[FailedItem],
) -> EncodedTask:
    """Store the files of one attempt, each with one PUT of finished bytes; nothing is visible in the table yet.

    A task without a good row still writes an empty code shard: its commit marks the task as done. Raises
    `ShapeMismatch` when codes and rows differ in number or width, `SourceError` for a value that does not fit its
    column, `UsageError` when items are missing, `StorageError` from the store.
    """
    if len(codes) != len(rows) or codes.num_bits != settings.identity.num_bits:
        expected = f"{len(rows)} codes of {settings.identity.num_bits} bits"
        raise ShapeMismatch("codes", f"{len(codes)} of {codes.num_bits} bits", expected)
    code_bytes = _parquet_bytes(_code_table(settings, rows, codes), settings)
    rejects_bytes = _parquet_bytes(_rejects_table(settings, rejects), settings) if rejects else None
    task = EncodedTask(
        source_id=settings.source_id,
        task_id=settings.task_id,
        salt=settings.salt,
        attempt=settings.attempt,
        code_file=_shard_file(settings, code_bytes, len(rows)),
        rejects_file=_shard_file(settings, rejects_bytes, len(rejects)) if rejects_bytes else None,
        num_items=settings.num_items,
        num_rows=len(rows),
        num_rejects=len(rejects),
        rejects_by_reason=dict(sorted(Counter(item.reason for item in rejects).items())),
    )
    if task.rejects_file and rejects_bytes:
        store.write(join_uri(settings.collection_uri, "rejects", task.rejects_file.name), rejects_bytes)
    store.write(join_uri(settings.collection_uri, "codes", task.code_file.name), code_bytes)
    return task


def _shard_file(settings: ShardSettings, data: bytes, num_rows: int) -> ShardFile:
    sha256 = hashlib.sha256(data).hexdigest()
    name = ShardName(
        source_id=settings.source_id,
        task_id=settings.task_id,
        salt=settings.salt,
        attempt=settings.attempt,
        sha256=sha256,
    )
    return ShardFile(name=name.file_name, size_bytes=len(data), sha256=sha256, num_rows=num_rows)


def _code_table(settings: ShardSettings, rows: Sequence[EncodedRow], codes: BinaryCodes) -> pa.Table:
    schema = code_schema(settings.identity)
    num_rows = len(rows)
    columns = rows_to_columns(rows, schema, settings.identity.carried)
    packed = pa.py_buffer(np.ascontiguousarray(codes.packed))
    columns["id"] = pa.array(item_ids(settings.task_id, settings.salt, num_rows))
    columns["code"] = pa.FixedSizeBinaryArray.from_buffers(schema.field("code").type, num_rows, [None, packed])
    columns["pq_code"] = pa.nulls(num_rows, schema.field("pq_code").type)
    columns["task_id"] = pa.repeat(settings.task_id, num_rows)
    columns["model_id"] = pa.repeat(settings.identity.model_id, num_rows)
    columns["encoded_at"] = pa.repeat(pa.scalar(settings.encoded_at, schema.field("encoded_at").type), num_rows)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def _rejects_table(settings: ShardSettings, rejects: Sequence[FailedItem]) -> pa.Table:
    schema = rejects_schema()
    keys = [item.key for item in rejects]
    constants = {
        "source_id": settings.source_id,
        "task_id": settings.task_id,
        "attempt": settings.attempt,
        "model_id": settings.identity.model_id,
        "rejected_at": settings.encoded_at,
    }
    columns = []
    for column in schema:
        fixed = constants.get(column.name)
        values = [getattr(item, column.name) if fixed is None else fixed for item in rejects]
        columns.append(typed_column(column, values, keys))
    return pa.table(columns, schema=schema)


def _parquet_bytes(table: pa.Table, settings: ShardSettings) -> bytes:
    """The finished file in memory: an exception on the way leaves nothing behind. Codes are noise: not compressed."""
    sink = pa.BufferOutputStream()
    writer = pq.ParquetWriter(
        sink,
        table.schema,
        compression={name: "NONE" if name == "code" else "ZSTD" for name in table.column_names},
        use_dictionary=[name for name in _REPEATING if name in table.column_names],
        # Statistics of other columns would put users' text into the footer, which the reader checks as plain bytes.
        write_statistics=["id"] if "id" in table.column_names else False,
        write_page_checksum=True,
        store_schema=False,
    )
    with writer:
        writer.write_table(table)
        writer.add_key_value_metadata(file_metadata(settings.identity, settings.settings_sha256))
    data: bytes = sink.getvalue().to_pybytes()
    return data
