"""The contracts on who may import whom hold, and catch those who break them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

BREAKING = [
    ("operators/search/violation.py", "import ray"),
    ("operators/kernels/violation.py", "import operators.hashers.hasher"),
    ("operators/metrics/violation.py", "import pipeline.records"),
    ("pipeline/encoding/violation.py", "import pipeline.shard_index"),
    ("pipeline/routing/violation.py", "import ray"),
    ("pipeline/actors/violation.py", "import fastapi"),
    ("pipeline/sources/violation.py", "import pipeline.jobs"),
]


def _lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_every_contract_is_kept() -> None:
    finished = _lint_imports(_ROOT)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "0 broken" in finished.stdout


def test_forbidden_imports_are_caught(tmp_path: Path) -> None:
    for name in ("operators", "pipeline"):
        shutil.copytree(_ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    shutil.copy(_ROOT / "pyproject.toml", tmp_path)
    for path, text in BREAKING:
        (tmp_path / path).write_text(text + "\n", encoding="utf-8")
    finished = _lint_imports(tmp_path)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    missed = [path for path, _ in BREAKING if path.removesuffix(".py").replace("/", ".") not in finished.stdout]
    assert not missed


@pytest.mark.parametrize(("path", "text"), BREAKING)
def test_the_forbidden_imports_are_of_real_modules(path: str, text: str) -> None:
    assert (_ROOT / path).parent.is_dir()
    imported = text.removeprefix("import ")
    source = _ROOT / imported.replace(".", "/")
    assert imported in ("ray", "fastapi") or source.is_dir() or source.with_suffix(".py").is_file()
