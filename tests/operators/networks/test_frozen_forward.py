from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import torch

from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import create_hasher, method_names, restore_hasher
from operators.networks.frozen_forward import forward_rows

NUM_DIMS = 12
SMALL: dict[str, dict[str, Any]] = {
    "agh": {"num_anchors": 30},
    "aphash": {"num_anchors": 30, "num_epochs": 2},
    "aphash-kernel": {"num_anchors": 30, "num_epochs": 2},
    "cibhash": {"num_epochs": 1, "network": "mlp", "batch_size": 32},
    "cibhash-neighbors": {"num_epochs": 1, "network": "mlp", "batch_size": 32},
    "deepquan": {"num_epochs": 1, "hidden": 32},
    "dgh": {"num_anchors": 30},
    "dvb": {"num_epochs": 1, "hidden": 16, "latent": 8},
    "dsh": {"num_epochs": 1, "network": "mlp"},
    "dsh-balanced": {"num_epochs": 1, "network": "mlp"},
    "orthohash": {"num_epochs": 1, "network": "mlp"},
    "spdaq": {"num_epochs": 1, "network": "mlp"},
}


def _rows(num_rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num_rows, NUM_DIMS)).astype(np.float32)


def _normalised() -> torch.nn.Sequential:
    """A network whose outputs depend on the batch while it is trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(NUM_DIMS, 5), torch.nn.BatchNorm1d(5))
        module(torch.from_numpy(_rows(50, seed=1)))
    return module


class _Meeting(torch.nn.Module):
    """Lets the first caller through only when the second has come to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.first_is_inside, self.second_has_ended = threading.Event(), threading.Event()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        if not self.first_is_inside.is_set():
            self.first_is_inside.set()
            assert self.second_has_ended.wait(20)
        return rows


def test_a_row_does_not_depend_on_the_others() -> None:
    module, rows = _normalised().eval(), _rows(130)
    together = forward_rows(module, rows)
    assert np.array_equal(together, np.concatenate([forward_rows(module, rows[i : i + 1]) for i in range(len(rows))]))


@pytest.mark.parametrize("training", [True, False])
def test_a_module_stays_as_it_was(training: bool) -> None:
    module = _normalised().train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    forward_rows(module, _rows(3))
    assert module.training is training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_frozen_module_may_run_in_two_threads_at_once() -> None:
    normalised = _normalised().eval()
    expected = forward_rows(normalised, _rows(3))
    meeting = _Meeting()
    module = torch.nn.Sequential(meeting, normalised).eval()
    found: list[np.ndarray] = []
    first = threading.Thread(target=lambda: found.append(forward_rows(module, _rows(3))))
    first.start()
    assert meeting.first_is_inside.wait(20)
    forward_rows(module, _rows(3, seed=2))
    meeting.second_has_ended.set()
    first.join()
    assert np.array_equal(found[0], expected)


def _networks(hasher: Hasher) -> list[torch.nn.Module]:
    return [value for value in vars(hasher).values() if isinstance(value, torch.nn.Module)]


@pytest.mark.parametrize("method", method_names())
def test_networks_of_every_fitted_and_loaded_method_are_frozen(method: str) -> None:
    """Else the first thread that ends a pass would put the network into training under all others."""
    hasher = create_hasher(method, num_bits=16, seed=0, **SMALL.get(method, {}))
    hasher.fit(np.random.default_rng(0).random((300, 192), np.float32), np.arange(300) % 4)
    for each in (hasher, restore_hasher(method, hasher.settings(), hasher.tensors())):
        assert not any(module.training for network in _networks(each) for module in network.modules())
