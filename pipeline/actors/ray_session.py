"""Start or join Ray for the length of one command, and say what the cluster has."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from pipeline.errors import PipelineError, SettingsError
from pipeline.settings import RaySettings

_log = logging.getLogger(__name__)


@contextmanager
def ray_session(settings: RaySettings) -> Iterator[None]:
    """Join `settings.address`, or start a Ray of our own on this machine, and leave it at the end.

    Inside a process that has joined Ray already this is a no-op. Ray's token authentication is left on: a session with
    `RAY_AUTH_MODE=disabled` is refused, for anybody on the network could run code on it.
    """
    if ray.is_initialized():
        yield
        return
    if os.environ.get("RAY_AUTH_MODE") == "disabled":
        raise SettingsError("RAY_AUTH_MODE=disabled lets anybody on the network run code here; unset it")
    _connect(settings)
    try:
        yield
    finally:
        ray.shutdown()


def _connect(settings: RaySettings) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = settings.address or os.environ.get("RAY_ADDRESS")
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", num_cpus=settings.num_cpus, include_dashboard=False, **quiet)
    except ConnectionError as error:
        raise PipelineError(
            f"no Ray cluster at {address}: {error}; start one with `ray up`, or unset ray.address"
        ) from None


def cluster_amount(resource: str) -> float:
    """How much of "CPU" or "GPU" the joined cluster has in all."""
    return float(ray.cluster_resources().get(resource, 0.0))
