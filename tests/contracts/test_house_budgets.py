"""Every source file keeps the house rules, and every rule catches a file that breaks it."""

import pytest

from tests.contracts.house_rules import (
    RULES,
    Rule,
    SourceFile,
    broad_except,
    drawer_name,
    long_file,
    long_function,
    many_parameters,
    missing_docstring,
    printing,
    source_files,
    stray_error,
    unsafe_loading,
)

_LONG_BODY = "def f():\n" + "    x = 1\n" * 46
_SHORT_BODY = 'def f():\n    """A.\n\n    B."""\n' + "    x = 1\n" * 45

BREAKING = [
    (long_file, "operators/a.py", "\n" * 351),
    (long_function, "tests/a.py", _LONG_BODY),
    (many_parameters, "pipeline/a.py", "def f(self, a, b, c, *, d, e, f, g): ..."),
    (many_parameters, "pipeline/cli/a.py", "def _f(a, b, c, d, e, f, g): ..."),
    (drawer_name, "operators/image_utils.py", ""),
    (drawer_name, "pipeline/common/a.py", ""),
    (printing, "pipeline/jobs/a.py", "print('x')"),
    (unsafe_loading, "operators/a.py", "import pickle"),
    (unsafe_loading, "operators/a.py", "from cloudpickle import loads"),
    (unsafe_loading, "operators/a.py", "import torch\ntorch.load('x')"),
    (unsafe_loading, "operators/a.py", "np.load(x, allow_pickle=True)"),
    (broad_except, "pipeline/a.py", "try:\n    x()\nexcept Exception:\n    pass"),
    (broad_except, "pipeline/a.py", "try:\n    x()\nexcept:\n    pass"),
    (missing_docstring, "operators/a.py", "x = 1"),
    (missing_docstring, "operators/a.py", "'''A.'''\ndef f():\n    x()\n    y()"),
    (missing_docstring, "operators/a.py", "'''A.'''\nclass C: ..."),
    (stray_error, "pipeline/a.py", "class Lost(StorageError): ..."),
    (stray_error, "pipeline/a.py", "class Lost(Exception):\n    def __init__(self, a, b): ..."),
]
KEEPING = [
    (long_function, "tests/a.py", _SHORT_BODY),
    (many_parameters, "pipeline/a.py", "def f(self, a, b, c, *, d, e, f): ..."),
    (many_parameters, "pipeline/cli/a.py", "def f(a, b, c, d, e, f, g: options.Seed): ..."),
    (many_parameters, "tests/a.py", "def test_f(a, b, c, d, e, f, g): ..."),
    (printing, "pipeline/cli/a.py", "print('x')"),
    (printing, "benchmarks/a.py", "print('x')"),
    (unsafe_loading, "operators/a.py", "np.load(x, allow_pickle=False)"),
    (broad_except, "pipeline/a.py", "try:\n    x()\nexcept Exception:\n    undo()\n    raise"),
    (missing_docstring, "operators/a.py", "'''A.'''\ndef _f(): ..."),
    (missing_docstring, "operators/a.py", "'''A.'''\ndef num_bits(x):\n    return x.num_bits"),
    (stray_error, "pipeline/a.py", "class Lost(Exception):\n    '''A.'''"),
    (stray_error, "pipeline/errors.py", "class Lost(StorageError): ..."),
]


def _rule_name(value: object) -> str:
    return getattr(value, "__name__", "") if callable(value) else ""


@pytest.mark.parametrize("rule", RULES, ids=_rule_name)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    violations = [violation for file in source_files() for violation in rule(file)]
    assert not violations, f"{rule.__doc__}\n" + "\n".join(violations)


@pytest.mark.parametrize(("rule", "path", "text"), BREAKING, ids=_rule_name)
def test_the_rule_catches_a_file_that_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(SourceFile(path=path, text=text)))


@pytest.mark.parametrize(("rule", "path", "text"), KEEPING, ids=_rule_name)
def test_the_rule_lets_a_good_file_pass(rule: Rule, path: str, text: str) -> None:
    assert not list(rule(SourceFile(path=path, text=text)))


def test_every_rule_is_tried() -> None:
    assert {rule for rule, _, _ in BREAKING} == set(RULES)


def test_the_files_are_found() -> None:
    paths = {file.path for file in source_files()}
    assert {"operators/errors.py", "pipeline/errors.py", "tests/conftest.py", "benchmarks/result_file.py"} <= paths
