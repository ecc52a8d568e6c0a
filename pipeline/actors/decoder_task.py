"""Decoding in Ray tasks beside the encoders: batches stream to the encoder, a few at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import ray
from ray.exceptions import OutOfMemoryError, WorkerCrashedError

from pipeline.encoding.decoded_batch import DecodedBatch
from pipeline.encoding.picture_decoding import DecodeJob, decode_task
from pipeline.records import FailedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.source import SourceTask


@dataclass(frozen=True, kw_only=True)
class DecoderSettings:
    """`batches_in_flight` decoded batches wait at most for their encoder: bytes in flight are bounded by
    batches_in_flight x batch_items x side x side x 3 for each decoder."""

    job: DecodeJob
    num_cpus: float
    batches_in_flight: int


# A process can also be killed for what others did (memory), and a reject is for good.
_LONE_TRIES = 2


def _decode(task: SourceTask, job: DecodeJob, start: int, max_batches: int | None) -> Iterator[DecodedBatch]:
    # Ray sends into the innermost iterator, which must be a generator; islice is none.
    yield from (batch for batch in islice(decode_task(task, job, start=start), max_batches))


# No retry by Ray: a decoder that dies is looked into below, picture by picture.
_decode_remotely = ray.remote(max_retries=0)(_decode)


def decoded_batches(task: SourceTask, settings: DecoderSettings) -> Iterator[DecodedBatch]:
    """Every batch of a task, in order, decoded in a process of its own.

    A picture that kills its decoder (a crash in a codec, or too much memory) becomes a `FailedItem`: the batch it was
    in is decoded again, one picture per process, and the rest of the task goes on.
    """
    position = 0
    while True:
        try:
            for batch in _stream(task, settings, position):
                position += batch.num_items
                yield batch
            return
        except (WorkerCrashedError, OutOfMemoryError):
            single = dataclasses.replace(settings, job=dataclasses.replace(settings.job, batch_items=1))
            for _ in range(settings.job.batch_items):
                lone = _decode_alone(task, single, position)
                if lone is None:
                    return
                position += 1
                yield lone


def _stream(
    task: SourceTask, settings: DecoderSettings, start: int, max_batches: int | None = None
) -> Iterator[DecodedBatch]:
    refs = _decode_remotely.options(
        num_cpus=settings.num_cpus,
        num_returns="streaming",
        _generator_backpressure_num_objects=settings.batches_in_flight,
    ).remote(task, settings.job, start, max_batches)
    for ref in refs:
        yield ray.get(ref)


def _decode_alone(task: SourceTask, settings: DecoderSettings, position: int) -> DecodedBatch | None:
    """One picture in a process that decodes no other: a process that went on would die of the next one, and take the
    answer about this one with it. None at the end of the task."""
    for _ in range(_LONE_TRIES):
        try:
            return next(_stream(task, settings, position, max_batches=1), None)
        except (WorkerCrashedError, OutOfMemoryError):
            continue
    return _crashed(task, settings.job, position)


def _crashed(task: SourceTask, job: DecodeJob, position: int) -> DecodedBatch:
    item = next(iter(read_items(task, start=position, max_bytes=job.limits.max_bytes)))
    detail = "the decoder process died on this picture; its bytes crash the codec or need too much memory"
    failed = FailedItem(key=item.key, uri=item.uri, stage="decode", reason="decoder_died", detail=detail)
    no_pixels = np.zeros((0, job.side, job.side, 3), np.uint8)
    return DecodedBatch(rows=(), pixels=no_pixels, failed=(failed,), num_bytes=0, stage_seconds={})
