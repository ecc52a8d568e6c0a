"""How many encoders and decoders a job starts, from its settings and what the joined cluster has."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.actors.ray_session import cluster_amount
from pipeline.errors import MissingAccelerator, SettingsError
from pipeline.settings import EncodeSettings


@dataclass(frozen=True, kw_only=True)
class EncoderPlacement:
    """`device` is "cpu" or "cuda"; each encoder is fed by `decoders_per_encoder` decoding tasks at a time."""

    device: str
    num_encoders: int
    encoder_num_cpus: float
    decoders_per_encoder: int

    @property
    def tasks_per_encoder(self) -> int:
        """One more than decoders: it waits for the next decoder that is done, see `EncoderActor`."""
        return self.decoders_per_encoder + 1


def place_encoders(settings: EncodeSettings, *, uses_accelerator: bool) -> EncoderPlacement:
    """One encoder per GPU, or one per four CPUs; the remaining CPUs decode.

    `uses_accelerator`: the model's features run on a GPU when there is one. Device "auto" takes GPUs for such a model
    if the cluster has any. Raises `MissingAccelerator` for "cuda" without GPUs, and `SettingsError` for "cuda" with
    features that only run on the CPU, or for more than the cluster has (the job would wait for ever).
    """
    num_gpus, num_cpus = int(cluster_amount("GPU")), cluster_amount("CPU")
    device = _device(settings, uses_accelerator, num_gpus)
    num_encoders = settings.num_encoders or (num_gpus if device == "cuda" else max(1, int(num_cpus) // 4))
    if device == "cuda" and num_encoders > num_gpus:
        raise MissingAccelerator(f"{num_encoders} encoders need a GPU each, the cluster has {num_gpus}")
    cpus_for_decoders = num_cpus - num_encoders * settings.encoder_num_cpus
    affordable = int(cpus_for_decoders / settings.decoder_num_cpus / num_encoders + 1e-9)
    if affordable < 1:
        raise SettingsError(
            f"{num_encoders} encoders with {settings.encoder_num_cpus} CPUs, each fed by a decoder with "
            f"{settings.decoder_num_cpus} CPUs, do not fit into {num_cpus:g} CPUs; lower encode.num_encoders"
        )
    return EncoderPlacement(
        device=device,
        num_encoders=num_encoders,
        encoder_num_cpus=settings.encoder_num_cpus,
        decoders_per_encoder=settings.decoders_per_encoder or affordable,
    )


def _device(settings: EncodeSettings, uses_accelerator: bool, num_gpus: int) -> str:
    if settings.device == "auto":
        return "cuda" if uses_accelerator and num_gpus else "cpu"
    if settings.device == "cuda" and not uses_accelerator:
        raise SettingsError(
            "encode.device = cuda, but this model's features run on the CPU only; set encode.device = cpu"
        )
    if settings.device == "cuda" and not num_gpus:
        raise MissingAccelerator(
            "encode.device = cuda, but the cluster has no GPU; add one, or set encode.device = cpu"
        )
    return settings.device
