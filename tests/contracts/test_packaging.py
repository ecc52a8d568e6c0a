"""The distribution: extras that can be installed together, a lock that fits, and a wheel with everything in it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]
_LOCK_LINES = [
    line for line in (_ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
]
_LOCKED = {canonicalize_name(line.split("==")[0]): line.split("==")[-1] for line in _LOCK_LINES}


def _requirements(lines: list[str]) -> Iterator[Requirement]:
    """The requirements named, with the project's own extras followed."""
    for requirement in map(Requirement, lines):
        if requirement.name == _PROJECT["name"]:
            for extra in requirement.extras:
                yield from _requirements(_EXTRAS[extra])
        else:
            yield requirement


@pytest.mark.parametrize("extra", sorted(_EXTRAS))
def test_no_extra_brings_two_libraries_that_own_the_module_faiss(extra: str) -> None:
    names = {requirement.name for requirement in _requirements(_EXTRAS[extra])}
    assert len([name for name in names if name.startswith("faiss-")]) <= 1


def test_the_lock_is_plain_pins_without_hosts() -> None:
    assert _LOCK_LINES
    for line in _LOCK_LINES:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.!]*", line), line
    names = [canonicalize_name(line.split("==")[0]) for line in _LOCK_LINES]
    assert len(set(names)) == len(names)
    assert names == sorted(names)


def test_the_lock_names_no_gpu_libraries_and_one_faiss() -> None:
    assert not [name for name in _LOCKED if re.search(r"nvidia|cuda|cu1[0-9]|triton", name)]
    assert "faiss-cpu" in _LOCKED
    assert "torch==2.13.0" in _LOCK_LINES
    assert _PROJECT["name"] not in _LOCKED


def test_the_lock_satisfies_the_project_and_its_development_tools() -> None:
    wanted = [*_requirements(_PROJECT["dependencies"]), *_requirements(_EXTRAS["dev"])]
    missing = [str(requirement) for requirement in wanted if canonicalize_name(requirement.name) not in _LOCKED]
    assert not missing
    for requirement in wanted:
        locked = Version(_LOCKED[canonicalize_name(requirement.name)])
        assert requirement.specifier.contains(locked), f"{requirement} but the lock has {locked}"


def test_the_lock_can_build_the_project() -> None:
    build = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]
    for requirement in map(Requirement, build["requires"]):
        assert requirement.specifier.contains(Version(_LOCKED[canonicalize_name(requirement.name)]))


def test_the_wheel_holds_code_pictures_and_templates(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("operators", "pipeline"):
        shutil.copytree(_ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(_ROOT / name, checkout)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, checkout], check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("bitquarry-*.whl"))) as wheel:
        packed = set(wheel.namelist())
    wanted = {
        path.relative_to(_ROOT).as_posix()
        for name in ("operators", "pipeline")
        for path in (_ROOT / name).rglob("*")
        if path.suffix in (".py", ".parquet", ".j2", ".html", ".js", ".css", ".svg")
    }
    assert {"pipeline/sample_corpus/openclipart.parquet", "pipeline/search_api/web/index.html"} <= wanted
    assert not wanted - packed
    assert {name.split("/")[0].split("-")[0] for name in packed} == {"operators", "pipeline", "bitquarry"}
    assert any(name.endswith("licenses/LICENSE") for name in packed)


@pytest.mark.parametrize("target", ["help", "install", "demo", "test", "lint", "bench"])
def test_make_knows_the_target_and_help_lists_it(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=_ROOT, check=True, capture_output=True)
    shown = subprocess.run(["make", "help"], cwd=_ROOT, check=True, capture_output=True, text=True).stdout
    assert re.search(rf"^make {target} ", shown, re.MULTILINE)


def test_continuous_integration_forbids_skips_and_runs_make_test() -> None:
    script = _ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert text.index("apt-get install") < text.index("export BITQUARRY_REQUIRE_ALL=1") < text.index("make test\n")
