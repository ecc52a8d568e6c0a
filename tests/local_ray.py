"""One local Ray for the test session: two CPUs, no dashboard. Starting it takes seconds, so tests share it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import ray


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Joined Ray. Tests kill their own actors, by pid or handle; nobody stops this Ray."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()
