"""Settings of a method as a frozen dataclass whose fields say what is allowed.

@dataclass(frozen=True, kw_only=True)
class Settings(MethodSettings):
    num_anchors: int = whole(300, minimum=2, maximum=100_000)
    network: str = choice("mlp", "mlp", "dsh")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from operators.errors import InvalidSetting
from operators.features.feature_extractor import Json
from operators.features.setting_checks import (
    require_bool,
    require_choice,
    require_int,
    require_names,
    require_number,
)

_CHECK = "check"
MAX_SEED = 2**53
Check = Callable[[str, object], object]


def _field(default: object, check: Check) -> Any:
    if default is None:
        return dataclasses.field(metadata={_CHECK: check})
    return dataclasses.field(default=cast("Any", default), metadata={_CHECK: check})


def whole(default: int | None = None, *, minimum: int, maximum: int) -> Any:
    """A whole number in range; without a default it must be given."""
    return _field(default, lambda name, value: require_int(name, value, minimum=minimum, maximum=maximum))


def number(default: float | None = None, *, minimum: float, maximum: float) -> Any:
    """A finite number in range; without a default it must be given."""
    return _field(default, lambda name, value: require_number(name, value, minimum=minimum, maximum=maximum))


def choice(default: str, *choices: str) -> Any:
    """One of several words."""
    return _field(default, lambda name, value: require_choice(name, value, choices))


def switch(default: bool) -> Any:
    """True or false."""
    return _field(default, require_bool)


@dataclass(frozen=True, kw_only=True)
class MethodSettings:
    """What every method has: `num_bits` of its codes and the `seed` of its random choices."""

    num_bits: int = whole(minimum=1, maximum=4096)
    seed: int = whole(minimum=0, maximum=MAX_SEED)


Settings = TypeVar("Settings", bound=MethodSettings)


def checked_settings(method: str, kind: type[Settings], given: Mapping[str, object]) -> Settings:
    """`given` as an instance of `kind`, defaults filled in. Raises `InvalidSetting` naming `<method>.<setting>`."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    for name in sorted(given.keys() - fields.keys()):
        raise InvalidSetting(f"{method}.{name}", repr(given[name]), f"one of {', '.join(sorted(fields))}")
    for name in sorted(required - given.keys()):
        raise InvalidSetting(f"{method}.{name}", "missing", "a value")
    values = {name: fields[name].metadata[_CHECK](f"{method}.{name}", value) for name, value in given.items()}
    return kind(**values)


def restored_settings(method: str, kind: type[Settings], given: Mapping[str, Json]) -> Settings:
    """As `checked_settings`, for stored settings: every one must be there. Raises `InvalidSetting`."""
    require_names(method, given, {field.name for field in dataclasses.fields(kind)})
    return checked_settings(method, kind, given)
