"""Where a training runs, from its settings and what the joined cluster has."""

from __future__ import annotations

from dataclasses import dataclass

import ray

from pipeline.actors.ray_session import cluster_amount
from pipeline.errors import MissingAccelerator, SettingsError
from pipeline.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class TrainerPlacement:
    """`device` is "cpu" or "cuda" (one GPU per worker); `num_cpus` cores, and as many threads, for each worker."""

    device: str
    num_workers: int
    num_cpus: int


def place_trainer(settings: TrainSettings, *, uses_accelerator: bool, learns_by_epochs: bool) -> TrainerPlacement:
    """`uses_accelerator`: method or features compute on a GPU when there is one. Device "auto" takes a GPU for such a
    model if the cluster has enough of them.

    A worker gets the cores of the largest machine, shared between the workers; a method that learns in one go reserves
    one core. Raises `MissingAccelerator` for "cuda" without GPUs, and `SettingsError` for "cuda" with nothing that can
    use one, for several workers of a method that learns in one go, and for more than the cluster has.
    """
    if settings.num_workers > 1 and not learns_by_epochs:
        raise SettingsError(
            f"train.num_workers = {settings.num_workers}, but this method learns in one go; give one worker"
        )
    device = _device(settings, uses_accelerator, int(cluster_amount("GPU")))
    num_cores = largest_machine()
    num_cpus = settings.cpus_per_worker or (max(1, num_cores // settings.num_workers) if learns_by_epochs else 1)
    num_all = int(cluster_amount("CPU"))
    if num_cpus > num_cores or num_cpus * settings.num_workers > num_all:
        raise SettingsError(
            f"train.num_workers = {settings.num_workers} with {num_cpus} CPUs each do not fit into {num_all} CPUs "
            f"({num_cores} on the largest machine); lower train.num_workers or train.cpus_per_worker"
        )
    return TrainerPlacement(device=device, num_workers=settings.num_workers, num_cpus=num_cpus)


def largest_machine() -> int:
    """CPU cores of the machine of the joined cluster that has most."""
    return max(int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])


def _device(settings: TrainSettings, uses_accelerator: bool, num_gpus: int) -> str:
    if settings.device == "auto":
        return "cuda" if uses_accelerator and num_gpus >= settings.num_workers else "cpu"
    if settings.device == "cuda" and not uses_accelerator:
        raise SettingsError(
            "train.device = cuda, but neither these features nor this method compute on a GPU; set train.device = auto"
        )
    if settings.device == "cuda" and num_gpus < settings.num_workers:
        raise MissingAccelerator(
            f"train.device = cuda with {settings.num_workers} workers, but the cluster has {num_gpus} GPUs; "
            "add one, or set train.device = cpu"
        )
    return settings.device
