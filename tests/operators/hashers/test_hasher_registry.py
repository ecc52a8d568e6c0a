"""Hashing methods by name."""

from __future__ import annotations

import pytest

from operators.errors import InvalidSetting
from operators.hashers.hasher_registry import create_hasher, method_names, restore_hasher


def test_names_are_sorted() -> None:
    assert list(method_names()) == sorted(method_names())
    assert {"itq", "lsh"} <= set(method_names())


def test_created_with_some_settings_and_defaults_for_the_rest() -> None:
    hasher = create_hasher("lsh", num_bits=8, seed=1, num_tables=4)
    assert hasher.num_bits == 32
    assert hasher.settings() == {"num_bits": 8, "seed": 1, "num_tables": 4, "center": True}


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("pca", {}, r"method = 'pca': expected one of agh, .*itq, lsh, "),
        ("itq", {"num_tables": 2}, r"itq.num_tables = 2: expected one of num_bits, num_iterations, seed"),
        ("lsh", {"seed": -1}, r"lsh.seed = -1"),
        ("lsh", {"seed": "1"}, r"lsh.seed = '1'"),
    ],
)
def test_wrong_names_and_values(method: str, settings: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        create_hasher(method, **{"num_bits": 8, "seed": 0, **settings})
    with pytest.raises(InvalidSetting):
        restore_hasher(method, {"num_bits": 8, "seed": 0, **settings}, {})
