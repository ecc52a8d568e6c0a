"""`TaskEncoder`: decoded batches of one task to one file of codes. Runs inside an encoder actor, or by a plain call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from operators.binary_codes import BinaryCodes, concatenate
from operators.errors import NonFiniteFeatures
from operators.models.hashing_model import HashingModel
from pipeline.code_shards.encoded_row import EncodedRow
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.code_shards.shard_writer import ShardSettings, write_task
from pipeline.encoding.decoded_batch import DecodedBatch
from pipeline.encoding.encode_order import EncodeOrder
from pipeline.object_store.object_store import ObjectStore
from pipeline.records import FailedItem
from pipeline.telemetry import StageTimes


@dataclass(kw_only=True)
class _TaskRows:
    """What a task has gathered so far: tens of bytes an item, a few thousand items."""

    rows: list[EncodedRow] = field(default_factory=list)
    codes: list[BinaryCodes] = field(default_factory=list)
    failed: list[FailedItem] = field(default_factory=list)
    num_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class ShardTarget:
    """Where a job's shards go and what is written into each: the collection, its identity, the source and settings."""

    collection_uri: str
    identity: CollectionIdentity
    source_id: str
    settings_sha256: str


class TaskEncoder:
    """Encodes whole tasks with one model and writes each as one shard under its attempt's name."""

    def __init__(self, model: HashingModel, store: ObjectStore, target: ShardTarget) -> None:
        self._model = model
        self._store = store
        self._target = target

    def encode(self, order: EncodeOrder, batches: Iterable[DecodedBatch], *, encoded_at: datetime) -> EncodedTask:
        """Consume every batch of the task, hash the pictures, write the shard, say what was written.

        Rows + rejects = items of the task. Nothing is visible to readers until the committer adds the file.
        """
        times = StageTimes()
        gathered = self._gather(batches, times)
        codes = concatenate([self._no_codes(), *gathered.codes])
        with times.stage("write"):
            written = write_task(
                self._store, self._shard_settings(order, encoded_at, gathered), gathered.rows, codes, gathered.failed
            )
        return replace(written, stage_seconds=dict(times.seconds), num_bytes_read=gathered.num_bytes)

    def _shard_settings(self, order: EncodeOrder, encoded_at: datetime, gathered: _TaskRows) -> ShardSettings:
        num_read = len(gathered.rows) + len(gathered.failed)
        return ShardSettings(
            collection_uri=self._target.collection_uri,
            identity=self._target.identity,
            settings_sha256=self._target.settings_sha256,
            source_id=self._target.source_id,
            task_id=order.task_id,
            salt=order.salt,
            attempt=order.attempt,
            encoded_at=encoded_at,
            num_items=num_read if order.task.num_items is None else order.task.num_items,
        )

    def _gather(self, batches: Iterable[DecodedBatch], times: StageTimes) -> _TaskRows:
        gathered = _TaskRows()
        iterator = iter(batches)
        while True:
            with times.stage("wait_for_pixels"):
                batch = next(iterator, None)
            if batch is None:
                return gathered
            times.add(batch.stage_seconds)
            with times.stage("encode"):
                rows, codes, failed = self._encode_batch(batch)
            gathered.rows += rows
            gathered.codes.append(codes)
            gathered.failed += failed
            gathered.num_bytes += batch.num_bytes

    def _encode_batch(self, batch: DecodedBatch) -> tuple[list[EncodedRow], BinaryCodes, list[FailedItem]]:
        if not batch.rows:
            return [], self._no_codes(), list(batch.failed)
        try:
            return list(batch.rows), self._model.encode_pixels(batch.pixels), list(batch.failed)
        except NonFiniteFeatures as error:
            bad = set(error.rows)
        good = np.array([i for i in range(len(batch.rows)) if i not in bad], dtype=np.intp)
        codes = self._model.encode_pixels(batch.pixels[good]) if len(good) else self._no_codes()
        rejected = [_non_finite(batch.rows[i]) for i in sorted(bad)]
        return [batch.rows[i] for i in good], codes, [*batch.failed, *rejected]

    def _no_codes(self) -> BinaryCodes:
        return BinaryCodes.from_bits(np.zeros((0, self._model.num_bits), bool))


def _non_finite(row: EncodedRow) -> FailedItem:
    detail = "the model gave NaN or infinity for this picture; it was not packed into bits"
    return FailedItem(key=row.key, uri=row.uri, stage="encode", reason="non_finite", detail=detail)
