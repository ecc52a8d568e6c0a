"""Items of a task to pixels: fetch, decode, and a `FailedItem` for each item that gives no picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from operators.decoders.image_decoder import DecodedImage, DecodeLimits, decode_image
from operators.errors import MediaTooLarge, UndecodableMedia
from pipeline.code_shards.encoded_row import EncodedRow
from pipeline.encoding.decoded_batch import DecodedBatch
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.source import SourceTask
from pipeline.telemetry import StageTimes

# Compressed bytes that one decoder holds at a time (plus at most one item over it).
_FETCHED_BYTES = 32 * 2**20


@dataclass(frozen=True, kw_only=True)
class DecodeJob:
    """How a task's items become batches of at most `batch_items` pictures of `side` x `side` pixels."""

    side: int
    limits: DecodeLimits
    batch_items: int


def decode_task(task: SourceTask, job: DecodeJob, *, start: int = 0) -> Iterator[DecodedBatch]:
    """Every item of the task from position `start`, in order, in batches. Memory is O(one batch).

    A bad item becomes a `FailedItem`; the rest of its batch is unaffected. A source that cannot be read at all raises.
    """
    items = iter(read_items(task, start=start, max_bytes=job.limits.max_bytes))
    while True:
        times = StageTimes()
        with times.stage("fetch"):
            fetched = _take_batch(items, job.batch_items)
        if not fetched:
            return
        with times.stage("decode"):
            outcomes = [_decode_item(item, job) for item in fetched]
        yield _batch_of(outcomes, fetched, job.side, times)


def _take_batch(items: Iterator[FetchedItem | FailedItem], max_items: int) -> list[FetchedItem | FailedItem]:
    """The next items, until there are `max_items` or their bytes reach `_FETCHED_BYTES`."""
    taken: list[FetchedItem | FailedItem] = []
    num_bytes = 0
    for item in items:
        taken.append(item)
        num_bytes += len(item.data) if isinstance(item, FetchedItem) else 0
        if len(taken) == max_items or num_bytes >= _FETCHED_BYTES:
            break
    return taken


def _decode_item(item: FetchedItem | FailedItem, job: DecodeJob) -> tuple[EncodedRow, DecodedImage] | FailedItem:
    if isinstance(item, FailedItem):
        return item
    try:
        image = decode_image(item.data, side=job.side, limits=job.limits)
    except MediaTooLarge as error:
        return FailedItem(key=item.key, uri=item.uri, stage="decode", reason="too_large", detail=str(error))
    except UndecodableMedia as error:
        return FailedItem(key=item.key, uri=item.uri, stage="decode", reason="undecodable", detail=str(error))
    row = EncodedRow(
        key=item.key,
        uri=item.uri,
        content_sha256=hashlib.sha256(item.data).digest(),
        media_type=image.media_type,
        width=image.width,
        height=image.height,
        source_etag=item.etag,
        label=item.label,
        carried=item.carried,
    )
    return row, image


def _batch_of(
    outcomes: list[tuple[EncodedRow, DecodedImage] | FailedItem],
    fetched: list[FetchedItem | FailedItem],
    side: int,
    times: StageTimes,
) -> DecodedBatch:
    decoded = [outcome for outcome in outcomes if not isinstance(outcome, FailedItem)]
    pixels = np.empty((len(decoded), side, side, 3), np.uint8)
    for position, (_, image) in enumerate(decoded):
        pixels[position] = image.pixels
    return DecodedBatch(
        rows=tuple(row for row, _ in decoded),
        pixels=pixels,
        failed=tuple(outcome for outcome in outcomes if isinstance(outcome, FailedItem)),
        num_bytes=sum(len(item.data) for item in fetched if isinstance(item, FetchedItem)),
        stage_seconds=dict(times.seconds),
    )
