"""The image files: a pinned base, no root, only paths that exist, everything from the lock, extras that exist."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_IMAGES = sorted((_ROOT / "deploy" / "images").glob("*.Dockerfile"))


def _instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """(instruction, rest) pairs, comments dropped and continued lines joined."""
    lines = [line for line in dockerfile.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def _of(dockerfile: Path, name: str) -> list[str]:
    return [rest for instruction, rest in _instructions(dockerfile) if instruction == name]


def test_there_is_an_image_per_worker_kind() -> None:
    assert [path.stem for path in _IMAGES] == ["encoder_gpu", "search_cpu"]


@pytest.mark.parametrize("dockerfile", _IMAGES, ids=lambda path: path.stem)
def test_the_base_is_pinned_to_a_patch_version_of_a_supported_python(dockerfile: Path) -> None:
    assert [bool(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base)) for base in _of(dockerfile, "FROM")] == [True]


@pytest.mark.parametrize("dockerfile", _IMAGES, ids=lambda path: path.stem)
def test_the_project_is_installed_and_run_by_a_user_that_is_not_root(dockerfile: Path) -> None:
    names = [name for name, _ in _instructions(dockerfile)]
    assert _of(dockerfile, "USER") == ["bitquarry"]
    assert names.index("USER") < names.index("COPY")
    assert "useradd" in " ".join(
        rest for name, rest in _instructions(dockerfile)[: names.index("USER")] if name == "RUN"
    )


@pytest.mark.parametrize("dockerfile", _IMAGES, ids=lambda path: path.stem)
def test_copied_paths_exist(dockerfile: Path) -> None:
    copied = [part for rest in _of(dockerfile, "COPY") for part in shlex.split(rest)[:-1] if not part.startswith("--")]
    assert {"requirements.lock", "pyproject.toml", "operators/", "pipeline/"} <= set(copied)
    assert not [path for path in copied if not (_ROOT / path).exists()]


@pytest.mark.parametrize("dockerfile", _IMAGES, ids=lambda path: path.stem)
def test_versions_come_from_the_lock_and_extras_exist(dockerfile: Path) -> None:
    installs = [rest for rest in _of(dockerfile, "RUN") if "pip install" in rest]
    assert len(installs) == 1
    assert "--constraint src/requirements.lock" in installs[0]
    asked = re.search(r"'\./src\[([a-z,-]+)\]'", installs[0])
    assert asked is not None
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(asked[1].split(",")) <= set(project["optional-dependencies"])
    assert "cluster" in asked[1].split(",")
