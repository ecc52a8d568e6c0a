"""`EncoderActor`: a Ray shell around `TaskEncoder`, pinned to a GPU where the settings ask for one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import ray

from pipeline.actors.decoder_task import DecoderSettings, decoded_batches
from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.encoding.decoded_batch import DecodedBatch
from pipeline.encoding.encode_order import EncodeOrder
from pipeline.encoding.task_encoder import ShardTarget, TaskEncoder
from pipeline.errors import MissingAccelerator, ModelMismatch
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.sources.source import SourceTask


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """All that an encoder needs to build itself on any machine: names and settings, no open files and no secrets."""

    catalog: str
    model_id: str
    model_fingerprint: str
    device: str
    num_decoders: int
    target: ShardTarget
    decoder: DecoderSettings


class EncoderActor:
    """Holds the model; encodes several tasks at a time, each fed by a decoder of its own.

    It is given one task more than it has decoders: while a task's last codes are written, the waiting one decodes, and
    no core idles in between.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        check_device(spec.device)
        store = open_store(spec.catalog)
        stored, model = ModelStore(spec.catalog, store).load(spec.model_id, device=spec.device)
        if stored.fingerprint != spec.model_fingerprint:
            raise ModelMismatch("this job", spec.model_fingerprint, stored.fingerprint)
        self._spec = spec
        self._decoders = threading.BoundedSemaphore(spec.num_decoders)
        self._encoder = TaskEncoder(model, store, spec.target)

    def ready(self) -> str:
        """The device in use; answering means that the model is loaded."""
        return self._spec.device

    def encode(self, order: EncodeOrder) -> EncodedTask:
        return self._encoder.encode(
            order, self._decoded(order.task), encoded_at=datetime.now(UTC).replace(microsecond=0)
        )

    def _decoded(self, task: SourceTask) -> Iterator[DecodedBatch]:
        with self._decoders:
            yield from decoded_batches(task, self._spec.decoder)


# Ray's decorator hides a class's types; the plain class stays callable in tests.
RemoteEncoderActor = ray.remote(EncoderActor)


def check_device(device: str, *, setting: str = "encode.device") -> None:
    """Raises `MissingAccelerator` when `device` is "cuda" and this process sees no GPU: never a silent CPU. `setting`
    is the one to name."""
    if device == "cpu":
        return
    import torch  # slow to import, and not needed by features that run on the CPU

    if not torch.cuda.is_available():
        raise MissingAccelerator(
            f"settings say {setting} = cuda, but torch sees no GPU in the {setting.split('.')[0]}r's process; "
            f"install a CUDA build of torch, or set {setting} = cpu"
        )
