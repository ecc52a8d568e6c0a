"""What every test gets: the shared fixtures, markers by fixture, loud skips, and random states that do not leak."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Iterator

import numpy as np
import pytest

# The proxy imports the server, hence the order: pytest rewrites the asserts of what it imports first.
pytest_plugins = ["tests.debian_data", "tests.local_ray", "tests.loud_skips", "tests.s3_server", "tests.fault_proxy"]

MARKERS_BY_FIXTURE = {
    "local_ray": "ray",
    "s3_endpoint_url": "s3",
    "fashion_mnist_dir": "data",
    "openclipart_dir": "data",
}


def pytest_configure() -> None:
    """A shell's background job ignores SIGINT, and so would every command that a test starts and interrupts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a fixture implies, so that `-m "not s3"` cannot miss a test."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS_BY_FIXTURE:
                item.add_marker(MARKERS_BY_FIXTURE[fixture])


@pytest.fixture(autouse=True)
def _same_random_state() -> Iterator[None]:
    """Global generators start alike in every test and are put back after it, so that order does not matter."""
    states = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")  # Tests without torch must not pay for importing it.
    torch_state = torch.random.get_rng_state() if torch is not None else None
    random.seed(0)
    np.random.seed(0)
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    if torch is not None:
        torch.random.set_rng_state(torch_state)
