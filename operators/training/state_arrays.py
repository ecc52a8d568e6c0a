"""Weights and optimizer state as plain arrays by name, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from operators.errors import ShapeMismatch


def module_arrays(module: torch.nn.Module, prefix: str) -> dict[str, NDArray[np.generic]]:
    """Every parameter and buffer of `module` as `<prefix>.<name>`; copies on the CPU."""
    return {f"{prefix}.{name}": _array(tensor) for name, tensor in module.state_dict().items()}


def load_module_arrays(module: torch.nn.Module, prefix: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """The inverse of `module_arrays`; arrays with another prefix are left alone.

    Raises `ShapeMismatch` when names or shapes are not those of the module.
    """
    given = {name.removeprefix(f"{prefix}."): a for name, a in arrays.items() if name.startswith(f"{prefix}.")}
    own = module.state_dict()
    for name in sorted(own.keys() | given.keys()):
        expected = str(tuple(own[name].shape)) if name in own else "no such array"
        found = str(given[name].shape) if name in given else "nothing"
        if found != expected:
            raise ShapeMismatch(f"{prefix}.{name}", found, expected)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in given.items()})


def optimizer_arrays(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, NDArray[np.generic]]:
    """The moments and step counts as `<prefix>.<parameter number>.<name>`; learning rates are no part of it."""
    arrays = {}
    for number, entries in optimizer.state_dict()["state"].items():
        for name, value in entries.items():
            if value is not None:
                arrays[f"{prefix}.{number}.{name}"] = _array(torch.as_tensor(value))
    return arrays


def load_optimizer_arrays(
    optimizer: torch.optim.Optimizer, prefix: str, arrays: Mapping[str, NDArray[np.generic]]
) -> None:
    """The inverse of `optimizer_arrays`, for an optimizer of the same parameters."""
    content: dict[str, Any] = optimizer.state_dict()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, array in arrays.items():
        if key.startswith(f"{prefix}."):
            number, name = key.removeprefix(f"{prefix}.").split(".", 1)
            state.setdefault(int(number), {})[name] = torch.from_numpy(np.array(array))
    optimizer.load_state_dict({**content, "state": state})


def _array(tensor: torch.Tensor) -> NDArray[np.generic]:
    array: NDArray[np.generic] = tensor.detach().cpu().numpy().copy()
    return array
