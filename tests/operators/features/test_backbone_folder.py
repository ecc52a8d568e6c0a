"""The digest of a backbone's folder covers what its features depend on, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from operators.errors import InvalidSetting
from operators.features.backbone_folder import backbone_files, backbone_sha256

_FILES = {"config.json": b"{}", "preprocessor_config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in _FILES.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.mark.parametrize("name", sorted(_FILES))
def test_changes_with_each_file(folder: Path, name: str) -> None:
    before = backbone_sha256(str(folder))
    (folder / name).write_bytes(b"other")
    assert backbone_sha256(str(folder)) != before


def test_bytes_moved_from_one_file_to_the_next_change_it(folder: Path) -> None:
    (folder / "a.safetensors").write_bytes(b"xy")
    (folder / "b.safetensors").write_bytes(b"z")
    before = backbone_sha256(str(folder))
    (folder / "a.safetensors").write_bytes(b"x")
    (folder / "b.safetensors").write_bytes(b"yz")
    assert backbone_sha256(str(folder)) != before


def test_other_files_and_the_place_do_not_matter(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (folder / "README.md").write_text("notes")
    copy = tmp_path_factory.mktemp("copy")
    for name, data in _FILES.items():
        (copy / name).write_bytes(data)
    assert backbone_sha256(str(copy)) == backbone_sha256(str(folder))


@pytest.mark.parametrize("name", sorted(_FILES))
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    named = name.replace("model.safetensors", r"\*.safetensors")
    with pytest.raises(InvalidSetting, match=f"backbone.folder = {folder}: .*no {named}"):
        backbone_files(str(folder))
