"""Checks on settings: each returns the value with its type, or raises `InvalidSetting` naming it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from operators.errors import InvalidSetting


def require_names(owner: str, given: Mapping[str, object], expected: set[str]) -> None:
    """Exactly the names `expected`: raises `InvalidSetting` for the first one that is unknown or missing."""
    for name in sorted(given.keys() - expected):
        raise InvalidSetting(f"{owner}.{name}", repr(given[name]), f"one of {_listed(expected)}")
    for name in sorted(expected - given.keys()):
        raise InvalidSetting(f"{owner}.{name}", "missing", f"a value for each of {_listed(expected)}")


def require_arguments(owner: str, cls: type, given: Mapping[str, object]) -> None:
    """As `require_names`, for the arguments of `cls`: those with a default may be left out."""
    parameters = inspect.signature(cls).parameters
    for name in sorted(given.keys() - parameters.keys()):
        raise InvalidSetting(f"{owner}.{name}", repr(given[name]), f"one of {_listed(set(parameters))}")
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in given:
            raise InvalidSetting(f"{owner}.{name}", "missing", "a value")


def require_int(name: str, value: object, *, minimum: int, maximum: int) -> int:
    """The value, if it is a whole number in range. Raises `InvalidSetting`."""
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        raise InvalidSetting(name, repr(value), f"a whole number from {minimum:,} to {maximum:,}")
    return value


def require_number(name: str, value: object, *, minimum: float, maximum: float) -> float:
    """The value, if it is a number in range. Raises `InvalidSetting`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
        raise InvalidSetting(name, repr(value), f"a number from {minimum:,g} to {maximum:,g}")
    return float(value)


def require_bool(name: str, value: object) -> bool:
    """The value, if it is true or false. Raises `InvalidSetting`."""
    if not isinstance(value, bool):
        raise InvalidSetting(name, repr(value), "true or false")
    return value


def require_text(name: str, value: object) -> str:
    """The value, if it is a text with something in it. Raises `InvalidSetting`."""
    if not isinstance(value, str) or not value:
        raise InvalidSetting(name, repr(value), "a non-empty text")
    return value


def require_choice(name: str, value: object, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices. Raises `InvalidSetting`."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidSetting(name, repr(value), f"one of {_listed(choices)}")
    return value


def _listed(names: set[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(names)) or "none"
