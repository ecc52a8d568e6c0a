"""A picture that kills the process that decodes it becomes a reject; every other picture of the task goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from ray.exceptions import WorkerCrashedError

from operators.decoders.image_decoder import DecodeLimits
from pipeline.actors import decoder_task
from pipeline.actors.decoder_task import DecoderSettings, decoded_batches
from pipeline.encoding.decoded_batch import DecodedBatch
from pipeline.encoding.picture_decoding import DecodeJob, decode_task
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.source import SourceTask
from pipeline.sources.task_part import TaskPart
from tests.pipeline.jobs.search_examples import SIDE, picture

pytestmark = pytest.mark.usefixtures("local_ray")
NUM_ITEMS, BATCH_ITEMS = 11, 4


@dataclass(frozen=True, kw_only=True)
class DeadlyPart(TaskPart):
    """Pictures, some of which kill any process but `safe_pid` that asks for the next one: by then, a decoder has them
    in hand. The process of the test must live to tell."""

    deadly: tuple[int, ...]
    safe_pid: int

    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        for position in range(start, NUM_ITEMS):
            if position in self.deadly and os.getpid() != self.safe_pid:
                os.kill(os.getpid(), signal.SIGKILL)
            yield FetchedItem(key=f"{position}.png", uri=f"/p/{position}.png", data=picture(position), etag="1")


def deadly_task(*deadly: int) -> SourceTask:
    part = DeadlyPart(deadly=deadly, safe_pid=os.getpid())
    return SourceTask(source_uri="/p", digest="0" * 32, num_items=NUM_ITEMS, part=part)


def settings(batch_items: int) -> DecoderSettings:
    job = DecodeJob(side=SIDE, limits=DecodeLimits(), batch_items=batch_items)
    return DecoderSettings(job=job, num_cpus=0.5, batches_in_flight=2)


def outcome(batches: Iterator[DecodedBatch]) -> tuple[list[str], np.ndarray, list[tuple[str, str, str]]]:
    """Keys and pixels of what was decoded, in order; (key, stage, reason) of the rest."""
    taken = list(batches)
    keys = [row.key for batch in taken for row in batch.rows]
    failed = [(item.key, item.stage, item.reason) for batch in taken for item in batch.failed]
    return keys, np.concatenate([batch.pixels for batch in taken]), failed


# First of the task, neighbours within a batch, last of the task, last of a batch and another two batches on.
@pytest.mark.parametrize("deadly", [(0,), (5, 6), (10,), (3, 9)])
def test_deadly_pictures_become_rejects(deadly: tuple[int, ...]) -> None:
    keys, pixels, failed = outcome(decoded_batches(deadly_task(*deadly), settings(BATCH_ITEMS)))
    expected_keys, expected_pixels, _ = outcome(decode_task(deadly_task(*deadly), settings(BATCH_ITEMS).job))
    living = [place for place in range(NUM_ITEMS) if place not in deadly]
    assert failed == [(f"{place}.png", "decode", "decoder_died") for place in deadly]
    assert keys == [expected_keys[place] for place in living]
    assert np.array_equal(pixels, expected_pixels[living])


def test_without_the_second_look_the_task_dies() -> None:
    """Self-test: the picture does kill, and the stream beneath does not survive it."""
    with pytest.raises(WorkerCrashedError):
        list(decoder_task._stream(deadly_task(5), settings(BATCH_ITEMS), 0))
