"""Small collections, rows and stored tasks for the tests of the code table."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from operators.binary_codes import BinaryCodes
from pipeline.code_shards.encoded_row import EncodedRow
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.code_shards.shard_writer import ShardSettings, write_task
from pipeline.object_store.open_store import open_store
from pipeline.records import FailedItem

NUM_BITS = 20
IDENTITY = CollectionIdentity(
    model_id="lsh20@1", model_fingerprint="ab" * 32, num_bits=NUM_BITS, carried={"price": "double", "stock": "int64"}
)
ENCODED_AT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
SOURCE_ID = "5" * 16


def task_id_of(number: int) -> str:
    return hashlib.blake2b(f"task {number}".encode(), digest_size=16).hexdigest()


def attempt_of(number: int) -> str:
    return f"{number:016x}"


def settings_for(collection_uri: str, number: int = 0, *, attempt: int = 1, num_items: int = 0) -> ShardSettings:
    return ShardSettings(
        collection_uri=collection_uri,
        identity=IDENTITY,
        settings_sha256="cd" * 32,
        source_id=SOURCE_ID,
        task_id=task_id_of(number),
        salt=0,
        attempt=attempt_of(attempt),
        encoded_at=ENCODED_AT,
        num_items=num_items,
    )


def encoded_rows(num_rows: int) -> list[EncodedRow]:
    return [
        EncodedRow(
            key=f"photo-{row}.jpg",
            uri=f"/photos/photo-{row}.jpg",
            content_sha256=hashlib.sha256(b"%d" % row).digest(),
            media_type="image/jpeg",
            width=640 + row,
            height=480,
            source_etag=f"etag-{row}",
            label=None if row % 2 else "boot",
            carried={"price": row / 2, "stock": None if row == 1 else row},
        )
        for row in range(num_rows)
    ]


def random_codes(num_rows: int, seed: int = 0) -> BinaryCodes:
    return BinaryCodes.from_bits(np.random.default_rng(seed).random((num_rows, NUM_BITS)) < 0.5)


def failed_items(num_items: int) -> list[FailedItem]:
    return [
        FailedItem(
            key=f"bad-{n}.jpg", uri=f"/photos/bad-{n}.jpg", stage="decode", reason="undecodable", detail="no JPEG"
        )
        for n in range(num_items)
    ]


def stored_task(
    collection_uri: str, number: int = 0, *, attempt: int = 1, num_rows: int = 3, num_rejects: int = 0, salt: int = 0
) -> EncodedTask:
    """Write the files of one task and give it, uncommitted."""
    settings = settings_for(collection_uri, number, attempt=attempt, num_items=num_rows + num_rejects)
    return write_task(
        open_store(collection_uri),
        replace(settings, salt=salt),
        encoded_rows(num_rows),
        random_codes(num_rows, seed=number),
        failed_items(num_rejects),
    )
