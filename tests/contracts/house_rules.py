"""The house rules that can be read off the source: each takes a parsed file and yields one line per violation."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("operators", "pipeline")
FOLDERS = (*PACKAGES, "benchmarks", "deploy", "tests")
MAX_FILE_LINES = 350
MAX_BODY_LINES = 45
MAX_PARAMETERS = 6
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "core"}
UNSAFE_LOADERS = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
# One bad item must not stop its batch: only there may every exception become a record.
BROAD_EXCEPT_FILES = frozenset({"operators/decoders/image_decoder.py"})


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """`path` is relative to the root of the checkout, with forward slashes."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def is_packaged(self) -> bool:
        return self.path.split("/")[0] in PACKAGES


Rule = Callable[[SourceFile], Iterator[str]]
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def source_files() -> list[SourceFile]:
    """Every Python file of the project, by path."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return [SourceFile(path=path.relative_to(ROOT).as_posix(), text=path.read_text("utf-8")) for path in paths]


def long_file(file: SourceFile) -> Iterator[str]:
    """A file has at most 350 lines."""
    num_lines = file.text.count("\n")
    if num_lines > MAX_FILE_LINES:
        yield f"{file.path}: {num_lines} lines"


def long_function(file: SourceFile) -> Iterator[str]:
    """A function's body has at most 45 lines, its docstring not counted."""
    for function in _functions(file):
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        num_lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if num_lines > MAX_BODY_LINES:
            yield f"{file.path}:{function.lineno}: {function.name} has {num_lines} lines"


def many_parameters(file: SourceFile) -> Iterator[str]:
    """A call takes at most 6 parameters, `self` and `cls` not counted.

    Tests may ask for more fixtures, and a function of the command line has one parameter per option.
    """
    for function in _functions(file):
        if function.name.startswith("test_") or (file.path.startswith("pipeline/cli/") and _has_options(function)):
            continue
        spec = function.args
        named = [argument.arg for argument in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        num_parameters = len([name for name in named if name not in ("self", "cls")])
        num_parameters += (spec.vararg is not None) + (spec.kwarg is not None)
        if num_parameters > MAX_PARAMETERS:
            yield f"{file.path}:{function.lineno}: {function.name} takes {num_parameters} parameters"


def drawer_name(file: SourceFile) -> Iterator[str]:
    """No file or folder is a drawer for everything that has no name of its own."""
    for part in file.path.removesuffix(".py").split("/"):
        if DRAWERS & set(part.split("_")):
            yield f"{file.path}: {part!r} names no concept"


def printing(file: SourceFile) -> Iterator[str]:
    """Only the command line, benchmarks, deploy and tests print."""
    if not file.is_packaged or file.path.startswith("pipeline/cli/"):
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{file.path}:{node.lineno}: print"


def unsafe_loading(file: SourceFile) -> Iterator[str]:
    """Nothing that runs code while loading data: no pickle and its kin, no torch.load, no numpy with allow_pickle."""
    if not file.is_packaged:
        return
    for node in ast.walk(file.tree):
        for name in _unsafe_names(node):
            yield f"{file.path}:{getattr(node, 'lineno', 0)}: {name}"


def broad_except(file: SourceFile) -> Iterator[str]:
    """`except Exception` stands only in the files listed above."""
    if not file.is_packaged or file.path in BROAD_EXCEPT_FILES:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node) and not _reraises(node):
            yield f"{file.path}:{node.lineno}: broad except"


def missing_docstring(file: SourceFile) -> Iterator[str]:
    """Packaged modules, their public classes and their public functions of more than one statement say what they are.

    In errors.py and settings.py the module's docstring and the field descriptions speak for the classes.
    """
    if not file.is_packaged:
        return
    if ast.get_docstring(file.tree) is None:
        yield f"{file.path}: module"
    classes_speak = Path(file.path).name in ("errors.py", "settings.py")
    for node in file.tree.body:
        if not isinstance(node, _Function | ast.ClassDef) or node.name.startswith("_") or ast.get_docstring(node):
            continue
        if not (classes_speak if isinstance(node, ast.ClassDef) else len(node.body) == 1):
            yield f"{file.path}:{node.lineno}: {node.name}"


def stray_error(file: SourceFile) -> Iterator[str]:
    """Errors of the packages are defined in errors.py, where the tree is drawn.

    A bare Exception without fields may stand beside the code that raises and catches it.
    """
    if not file.is_packaged or Path(file.path).name == "errors.py":
        return
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.ClassDef):
            continue
        bases = [ast.unparse(base) for base in node.bases]
        bare = bases == ["Exception"] and not any(isinstance(member, _Function) for member in node.body)
        if not bare and any(base.endswith(("Error", "Exception")) for base in bases):
            yield f"{file.path}:{node.lineno}: {node.name}"


RULES: tuple[Rule, ...] = (
    long_file,
    long_function,
    many_parameters,
    drawer_name,
    printing,
    unsafe_loading,
    broad_except,
    missing_docstring,
    stray_error,
)


def _functions(file: SourceFile) -> Iterator[_Function]:
    return (node for node in ast.walk(file.tree) if isinstance(node, _Function))


def _has_options(function: _Function) -> bool:
    parameters = ast.unparse(function.args)
    return "typer." in parameters or "options." in parameters


def _unsafe_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name.split(".")[0] in UNSAFE_LOADERS)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE_LOADERS:
        yield node.module or ""
    elif isinstance(node, ast.Attribute) and ast.unparse(node) == "torch.load":
        yield "torch.load"
    elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
        yield "allow_pickle"


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")


def _reraises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(node, ast.Raise) and node.exc is None for node in ast.walk(handler))
