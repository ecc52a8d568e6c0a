import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

from operators.errors import ShapeMismatch
from operators.training.state_arrays import (
    load_module_arrays,
    load_optimizer_arrays,
    module_arrays,
    optimizer_arrays,
)


def _module() -> torch.nn.Sequential:
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))


def _steps(module: torch.nn.Module, optimizer: torch.optim.Optimizer, num_steps: int) -> None:
    rows = torch.randn(8, 4, generator=torch.Generator().manual_seed(2))
    for _ in range(num_steps):
        optimizer.zero_grad()
        torch.autograd.backward(module(rows).square().mean())
        optimizer.step()


@pytest.mark.parametrize(
    "new_optimizer",
    [
        lambda module: torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9),
        lambda module: torch.optim.AdamW(module.parameters(), lr=0.1),
    ],
)
def test_training_goes_on_from_arrays_as_if_never_stopped(
    new_optimizer: Callable[[torch.nn.Module], torch.optim.Optimizer],
) -> None:
    module = _module()
    optimizer = new_optimizer(module)
    _steps(module, optimizer, 3)
    arrays = {**module_arrays(module, "m"), **optimizer_arrays(optimizer, "o")}
    arrays = {name: np.array(array) for name, array in arrays.items()}
    other = _module()
    other_optimizer = new_optimizer(other)
    load_module_arrays(other, "m", arrays)
    load_optimizer_arrays(other_optimizer, "o", arrays)
    for each in ((module, optimizer), (other, other_optimizer)):
        _steps(*each, 2)
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_arrays_are_copies() -> None:
    module = _module()
    arrays = module_arrays(module, "m")
    before = copy.deepcopy(arrays)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_other_names_and_shapes_are_refused() -> None:
    arrays = module_arrays(_module(), "m")
    missing = {name: array for name, array in arrays.items() if name != "m.0.bias"}
    with pytest.raises(ShapeMismatch, match=r"m\.0\.bias: got nothing"):
        load_module_arrays(_module(), "m", missing)
    with pytest.raises(ShapeMismatch, match=r"m\.more.*no such array"):
        load_module_arrays(_module(), "m", {**arrays, "m.more": np.zeros(1)})
    with pytest.raises(ShapeMismatch, match=r"m\.0\.bias: got \(9,\)"):
        load_module_arrays(_module(), "m", {**arrays, "m.0.bias": np.zeros(9)})
