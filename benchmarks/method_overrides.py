"""Settings given on the command line of a benchmark, for every method or for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from operators.features.feature_extractor import Json


def parsed_overrides(pairs: Sequence[str]) -> dict[str, Json]:
    """`num_epochs=10` is for every method, `dsh.num_epochs=10` for one; values are YAML."""
    return {name: yaml.safe_load(value) for name, _, value in (pair.partition("=") for pair in pairs)}


def overrides_of(method: str, overrides: Mapping[str, Json]) -> dict[str, Json]:
    """Those of a method by name of the setting; its own go before those of every method."""
    every = {name: value for name, value in overrides.items() if "." not in name}
    own = {name.removeprefix(f"{method}."): value for name, value in overrides.items() if name.startswith(f"{method}.")}
    return {**every, **own}
