"""One task to one shard: a bad picture, or features that are no numbers, cost that item alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from operators.decoders.image_decoder import DecodeLimits
from operators.features.pixel_features import PixelFeatures
from operators.hashers.random_projection import RandomProjection
from operators.models.hashing_model import HashingModel
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.code_shards.shard_reader import read_code_shard, read_rejects
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.encoding.encode_order import EncodeOrder
from pipeline.encoding.picture_decoding import DecodeJob, decode_task
from pipeline.encoding.task_encoder import ShardTarget, TaskEncoder
from pipeline.object_store.local_store import LocalStore
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.faults.colour_corpus import write_corpus

NUM_PICTURES, NUM_BROKEN, SIDE = 10, 2, 8
IDENTITY = CollectionIdentity(model_id="m@1", model_fingerprint="f" * 64, num_bits=16)


class PixelsWithNan(PixelFeatures):
    """Pixels, but NaN for pictures whose first value is odd: it depends on the picture alone."""

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        features = super().extract(pixels).copy()
        features[odd(pixels)] = np.nan
        return features


def odd(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(pixels[:, 0, 0, 0] % 2 == 1)


def fitted() -> RandomProjection:
    hasher = RandomProjection(num_bits=16, seed=0)
    hasher.fit(np.random.default_rng(0).random((50, SIDE * SIDE * 3), np.float32))
    return hasher


def encode(folder: Path, model: HashingModel, *, batch_items: int) -> EncodedTask:
    (task,) = open_source(SourceSettings(uri=str(folder / "pictures"))).tasks()
    job = DecodeJob(side=SIDE, limits=DecodeLimits(), batch_items=batch_items)
    target = ShardTarget(
        collection_uri=str(folder / "c"), identity=IDENTITY, source_id="5" * 16, settings_sha256="0" * 64
    )
    order = EncodeOrder(task=task, task_id="1" * 32)
    encoder = TaskEncoder(model, LocalStore(), target)
    return encoder.encode(order, decode_task(task, job), encoded_at=datetime(2026, 1, 1, tzinfo=UTC))


def codes_of(folder: Path, task: EncodedTask) -> dict[str, bytes]:
    shard = read_code_shard(LocalStore(), f"{folder}/c/codes/{task.code_file.name}", IDENTITY)
    return dict(zip(shard["key"].to_pylist(), shard["code"].to_pylist(), strict=True))


@pytest.mark.parametrize("batch_items", [1, 3, 64])
def test_rows_and_rejects_are_all_items_at_any_batch_size(tmp_path: Path, batch_items: int) -> None:
    listed = write_corpus(tmp_path / "pictures", num_pictures=NUM_PICTURES, num_broken=NUM_BROKEN)
    model = HashingModel(PixelFeatures(side=SIDE), fitted())
    task = encode(tmp_path, model, batch_items=batch_items)
    codes = codes_of(tmp_path, task)
    assert (task.num_items, task.num_rows, task.num_rejects) == (len(listed), NUM_PICTURES, NUM_BROKEN)
    assert task.rejects_by_reason == {"undecodable": NUM_BROKEN}
    assert codes == codes_of(tmp_path, encode(tmp_path, model, batch_items=NUM_PICTURES))


def test_features_that_are_no_numbers_are_rejected_alone(tmp_path: Path) -> None:
    write_corpus(tmp_path / "pictures", num_pictures=NUM_PICTURES, num_broken=0)
    (listed,) = open_source(SourceSettings(uri=str(tmp_path / "pictures"))).tasks()
    job = DecodeJob(side=SIDE, limits=DecodeLimits(), batch_items=64)
    (batch,) = decode_task(listed, job)
    bad = {row.key for row, is_odd in zip(batch.rows, odd(batch.pixels), strict=True) if is_odd}
    assert 0 < len(bad) < NUM_PICTURES
    task = encode(tmp_path, HashingModel(PixelsWithNan(side=SIDE), fitted()), batch_items=64)
    assert task.rejects_by_reason == {"non_finite": len(bad)}
    assert task.rejects_file is not None
    rejects = read_rejects(LocalStore(), f"{tmp_path}/c/rejects/{task.rejects_file.name}", IDENTITY)
    assert set(rejects["key"].to_pylist()) == bad
    clean = codes_of(tmp_path, encode(tmp_path, HashingModel(PixelFeatures(side=SIDE), fitted()), batch_items=64))
    assert codes_of(tmp_path, task) == {key: code for key, code in clean.items() if key not in bad}
