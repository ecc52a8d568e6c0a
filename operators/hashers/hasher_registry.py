"""The hashing methods by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.features.feature_extractor import Json
from operators.features.setting_checks import require_arguments
from operators.hashers.hasher import Hasher
from operators.hashers.iterative_quantization import IterativeQuantization
from operators.hashers.random_projection import RandomProjection

_HASHERS: dict[str, type[Hasher]] = {hasher.method: hasher for hasher in (RandomProjection, IterativeQuantization)}


def method_names() -> tuple[str, ...]:
    """Every method that `create_hasher` takes, sorted."""
    return tuple(sorted(_HASHERS))


def create_hasher(method: str, *, num_bits: int, seed: int, **settings: Any) -> Hasher:
    """A new hasher, not fitted; settings left out take their defaults. Raises `InvalidSetting`."""
    cls: Callable[..., Hasher] = _hasher_class(method)
    arguments = {"num_bits": num_bits, "seed": seed, **settings}
    require_arguments(method, _hasher_class(method), arguments)
    return cls(**arguments)


def restore_hasher(method: str, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Hasher:
    """The hasher that `settings()` and `tensors()` were taken from. Raises `InvalidSetting`, `ShapeMismatch`."""
    return _hasher_class(method).restore(settings, tensors)


def _hasher_class(method: str) -> type[Hasher]:
    if method not in _HASHERS:
        raise InvalidSetting("method", repr(method), f"one of {', '.join(method_names())}")
    return _HASHERS[method]
