"""An encoder computes on the device that the settings name, or says why it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
import torch

from operators.decoders.image_decoder import DecodeLimits
from operators.hashers.hasher_registry import create_hasher
from operators.models.hashing_model import HashingModel
from pipeline.actors.decoder_task import DecoderSettings
from pipeline.actors.encoder_actor import EncoderActor, EncoderSpec, RemoteEncoderActor, check_device
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.code_shards.shard_schema import CollectionIdentity
from pipeline.encoding.encode_order import EncodeOrder
from pipeline.encoding.encode_plan import EncodePlan
from pipeline.encoding.picture_decoding import DecodeJob
from pipeline.encoding.task_encoder import ShardTarget
from pipeline.errors import MissingAccelerator, ModelMismatch
from pipeline.model_store.feature_opening import open_features
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.faults.colour_corpus import write_corpus
from tests.tiny_backbones import TINY_SIDE, save_tiny_vit

NUM_PICTURES = 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT, a model on it in a catalog, and pictures."""
    folder = tmp_path_factory.mktemp("encoder")
    features = open_features("backbone", {"folder": str(save_tiny_vit(folder / "vit"))})
    hasher = create_hasher("itq", num_bits=16, seed=0)
    pixels = np.random.default_rng(0).integers(0, 256, (30, TINY_SIDE, TINY_SIDE, 3), dtype=np.uint8)
    hasher.fit(features.extract(pixels))
    ModelStore(str(folder / "catalog"), LocalStore()).save("vit", HashingModel(features, hasher), {})
    write_corpus(folder / "pictures", num_pictures=NUM_PICTURES, num_broken=0)
    return folder


def _spec(folder: Path, *, device: str, fingerprint: str | None = None) -> EncoderSpec:
    catalog = str(folder / "catalog")
    stored, model = ModelStore(catalog, LocalStore()).load("vit")
    identity = CollectionIdentity(
        model_id=stored.model_id, model_fingerprint=stored.fingerprint, num_bits=model.num_bits, carried={}
    )
    return EncoderSpec(
        catalog=catalog,
        model_id=stored.model_id,
        model_fingerprint=fingerprint or stored.fingerprint,
        device=device,
        num_decoders=1,
        target=ShardTarget(
            collection_uri=str(folder / "photos"), identity=identity, source_id="5" * 16, settings_sha256="0" * 64
        ),
        decoder=DecoderSettings(
            job=DecodeJob(side=model.side, limits=DecodeLimits(), batch_items=4), num_cpus=0.5, batches_in_flight=2
        ),
    )


def _order(folder: Path, spec: EncoderSpec) -> EncodeOrder:
    source = open_source(SourceSettings(uri=str(folder / "pictures")))
    plan = EncodePlan(
        source_uri=source.uri, model_fingerprint=spec.model_fingerprint, settings_sha256="0" * 64, committed=()
    )
    return next(iter(plan.orders(source.tasks())))


def test_another_fingerprint_is_refused_with_both(folder: Path) -> None:
    with pytest.raises(ModelMismatch, match=f"holds codes of model {'0' * 64}, the model given is [1-9a-f]"):
        EncoderActor(_spec(folder, device="cpu", fingerprint="0" * 64))


def test_a_gpu_that_is_not_there_is_never_a_cpu(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingAccelerator, match="torch sees no GPU in the encoder's process"):
        EncoderActor(_spec(folder, device="cuda"))
    check_device("cpu")


@pytest.fixture
def ray_with_gpu() -> Iterator[None]:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.gpu
@pytest.mark.ray
def test_codes_of_a_gpu_encoder_are_close_to_the_cpu(folder: Path, ray_with_gpu: None) -> None:
    """Sums are added in another order on a GPU: few bits, near their thresholds, may differ."""
    spec = _spec(folder, device="cuda")
    encoder = RemoteEncoderActor.options(num_gpus=1, num_cpus=0.1, max_concurrency=2).remote(spec)
    assert ray.get(encoder.ready.remote(), timeout=100) == "cuda"
    task = ray.get(encoder.encode.remote(_order(folder, spec)), timeout=100)
    ray.kill(encoder)
    assert (task.num_rows, task.num_rejects) == (NUM_PICTURES, 0)
    uri = str(next((folder / "photos").rglob(task.code_file.name)))
    shard = read_code_shard(LocalStore(), uri, spec.target.identity)
    on_gpu = np.frombuffer(b"".join(shard["code"].to_pylist()), np.uint8)
    _, model = ModelStore(spec.catalog, LocalStore()).load("vit")
    pixels = _pixels(folder, shard["key"].to_pylist(), model.side)
    differing = int(np.bitwise_count(on_gpu ^ model.encode_pixels(pixels).packed.ravel()).sum())
    assert differing <= NUM_PICTURES * 16 // 50


def _pixels(folder: Path, keys: list[str], side: int) -> np.ndarray:
    from operators.decoders.image_decoder import decode_image

    return np.stack([decode_image((folder / "pictures" / key).read_bytes(), side=side).pixels for key in keys])
