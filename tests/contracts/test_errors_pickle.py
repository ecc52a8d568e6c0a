"""Errors cross processes: each keeps its fields and its text, and the trees drawn in the docstrings are true."""

import inspect
import pickle
import re
from types import ModuleType
from typing import get_type_hints

import pytest

import operators.errors
import pipeline.errors
from pipeline.errors import PipelineError

MODULES = (operators.errors, pipeline.errors)
SAMPLES: dict[object, object] = {str: "photos/a b.jpg", int: 7, tuple[str, ...]: ("x", "y"), tuple[int, ...]: (3, 5)}


def _classes(module: ModuleType) -> list[type[Exception]]:
    found = [value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, Exception)]
    return [cls for cls in found if cls.__module__ == module.__name__]


def _sample(cls: type[Exception]) -> Exception:
    if cls.__init__ is Exception.__init__ or "__init__" not in _own_names(cls):
        return cls("photos: something is wrong; do this")
    hints = get_type_hints(cls.__init__)
    return cls(*(SAMPLES[hints[name]] for name in inspect.signature(cls).parameters))


def _own_names(cls: type[Exception]) -> set[str]:
    return {name for parent in cls.__mro__ if parent.__module__ == cls.__module__ for name in vars(parent)}


@pytest.mark.parametrize("cls", [cls for module in MODULES for cls in _classes(module)])
def test_an_error_keeps_its_fields_and_text(cls: type[Exception]) -> None:
    error = _sample(cls)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 our own bytes
    assert type(copy) is cls
    assert (copy.args, vars(copy), str(copy)) == (error.args, vars(error), str(error))


@pytest.mark.parametrize("cls", [cls for module in MODULES for cls in _classes(module)])
def test_the_text_is_one_line_and_holds_every_field(cls: type[Exception]) -> None:
    error = _sample(cls)
    assert str(error)
    assert "\n" not in str(error)
    for value in vars(error).values():
        shown = value if isinstance(value, tuple) else (value,)
        assert all(str(part) in str(error) for part in shown), value


def _drawn_tree(docstring: str) -> dict[str, tuple[str | None, str]]:
    """Class name -> (name of its parent, exit code as drawn or "")."""
    tree: dict[str, tuple[str | None, str]] = {}
    ancestors: list[str] = []
    for line in docstring.splitlines():
        drawn = re.fullmatch(r" {4}([│├└─ ]*)([A-Z]\w+)(?:\(\w+\))?(?: +(\d)?(?: .*)?)?", line)
        if drawn is None:
            continue
        depth = len(drawn[1]) // 4
        ancestors[depth:] = [drawn[2]]
        tree[drawn[2]] = (ancestors[depth - 1] if depth else None, drawn[3] or "")
    return tree


@pytest.mark.parametrize("module", MODULES)
def test_the_drawn_tree_equals_the_classes(module: ModuleType) -> None:
    names = {cls.__name__ for cls in _classes(module)}
    actual = {cls.__name__: cls.__base__.__name__ for cls in _classes(module) if cls.__base__ is not None}
    parents = {name: parent if parent in names else None for name, parent in actual.items()}
    assert {name: parent for name, (parent, _) in _drawn_tree(module.__doc__ or "").items()} == parents


def test_the_drawn_exit_codes_equal_the_classes() -> None:
    drawn = _drawn_tree(pipeline.errors.__doc__ or "")
    for cls in _classes(pipeline.errors):
        assert issubclass(cls, PipelineError)
        parent, code = drawn[cls.__name__]
        if not code:
            assert parent is not None
            code = str(vars(pipeline.errors)[parent].exit_code)
        assert str(cls.exit_code) == code, cls.__name__
