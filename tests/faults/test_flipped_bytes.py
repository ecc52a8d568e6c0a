"""A flipped byte in a code shard or an index file is named and refused by the command that reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.code_shards.code_table import CodeTable
from tests import command_line
from tests.pipeline.jobs.search_examples import make_picture_catalog
from tests.pipeline.shard_index.index_examples import flip_byte

CODE = "0ff0"
BUILD = ("index", "build", "-c", "pictures", "-n", "pictures", "--num-shards", "2")
QUERY = ("query", "-i", "pictures", "--code", CODE)
VERIFY = ("index", "verify", "-i", "pictures")


@pytest.fixture(scope="module")
def sound_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalog = tmp_path_factory.mktemp("sound") / "catalog"
    make_picture_catalog(str(catalog))
    command_line.run(*BUILD, "-C", catalog)
    return catalog


@pytest.fixture
def catalog(sound_catalog: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(sound_catalog, tmp_path / "catalog"))


def code_shard(catalog: Path) -> Path:
    table = CodeTable.open(f"{catalog}/collections/pictures")
    return Path(table.shard_uri(table.snapshot().shards[1]))


def index_file(catalog: Path, ending: str) -> Path:
    return sorted((catalog / "indexes" / "pictures").glob(f"*/*{ending}"))[0]


@pytest.mark.parametrize("position", [100, -12])
def test_a_damaged_code_shard_is_not_indexed(catalog: Path, position: int) -> None:
    damaged = code_shard(catalog)
    flip_byte(damaged, position)
    line = command_line.complaint(*BUILD, "-C", catalog, exit_code=1)
    assert f"{damaged} is corrupt" in line
    listed = json.loads(command_line.run("index", "list", "-C", catalog, "--json"))["generations"]
    assert len(listed) == 1, "a generation was made of damaged codes"


@pytest.mark.parametrize("ending", [".codes.npy", ".ids.npy", ".payload.arrow"])
def test_a_damaged_index_file_answers_nothing(catalog: Path, ending: str) -> None:
    damaged = index_file(catalog, ending)
    flip_byte(damaged, -1)
    line = command_line.complaint(*QUERY, "-C", catalog, exit_code=1)
    assert f"{damaged} is corrupt" in line
    assert "index build" in line
    report = json.loads(command_line.run(*VERIFY, "-C", catalog, "--json", exit_code=1))
    assert len(report["problems"]) == 1
    assert str(damaged) in report["problems"][0]


def test_a_damaged_manifest_answers_nothing(catalog: Path) -> None:
    damaged = index_file(catalog, "MANIFEST.json")
    flip_byte(damaged, 40)
    for command in (QUERY, VERIFY):
        assert f"{damaged} is corrupt" in command_line.complaint(*command, "-C", catalog, exit_code=1)


def test_a_missing_code_shard_is_named(catalog: Path) -> None:
    missing = code_shard(catalog)
    missing.unlink()
    assert f"{missing} is corrupt" in command_line.complaint(*BUILD, "-C", catalog, exit_code=1)


def test_without_damage_all_of_it_works(catalog: Path) -> None:
    """Self-test: the refusals above come from the flipped byte. A byte flipped twice is a sound file again."""
    for path in (code_shard(catalog), index_file(catalog, ".codes.npy")):
        flip_byte(path, -1)
        flip_byte(path, -1)
    command_line.run(*VERIFY, "-C", catalog)
    command_line.run(*QUERY, "-C", catalog)
    command_line.run(*BUILD, "-C", catalog)
