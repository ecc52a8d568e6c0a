"""`SettingsHasher`: a hasher whose settings are one dataclass, which checks, stores and restores them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Generic, Self

import numpy as np
from numpy.typing import NDArray

from operators.errors import NotFitted
from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher
from operators.hashers.method_settings import MethodSettings, Settings, checked_settings, restored_settings


class SettingsHasher(Hasher, Generic[Settings]):
    """A method says `method`, `settings_type` and what to do; settings are given by name.

    Raises `InvalidSetting` for a setting that is unknown, missing or out of range.
    """

    settings_type: ClassVar[type[MethodSettings]]

    def __init__(self, **given: Any) -> None:
        self._settings: Settings = checked_settings(self.method, self.settings_type, given)  # type: ignore[assignment]

    @property
    def num_bits(self) -> int:
        return self._settings.num_bits

    @property
    def typed_settings(self) -> Settings:
        return self._settings

    def settings(self) -> dict[str, Json]:
        return asdict(self._settings)

    @classmethod
    def restore(cls, settings: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]]) -> Self:
        checked = restored_settings(cls.method, cls.settings_type, settings)
        hasher = cls(**asdict(checked))
        if not tensors:
            raise NotFitted(cls.method)
        hasher.load_tensors(tensors)
        return hasher

    @abstractmethod
    def load_tensors(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `tensors()` gave, for equal settings. Raises `ShapeMismatch` for other names or shapes."""
