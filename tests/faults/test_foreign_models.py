"""A model whose fingerprint is not that of the codes is refused, with both fingerprints, and nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from operators.models.hashing_model import HashingModel
from pipeline.code_shards.code_table import CodeTable
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from tests import command_line
from tests.pipeline.jobs.search_examples import PictureCatalog, fitted_model, make_picture_catalog, picture

CONFLICT = 4


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    """Collection and index `pictures`, made with lsh12@1."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "0.png").write_bytes(picture(0))
    made = make_picture_catalog(str(tmp_path / "catalog"))
    command_line.run("index", "build", "-C", made.catalog, "-c", "pictures", "-n", "pictures")
    return made


def encode(pictures: PictureCatalog, model: str, command: str = "encode") -> tuple[str | Path, ...]:
    return (command, "-C", pictures.catalog, "-c", "pictures", "-m", model, "-s", Path(pictures.catalog, "../pictures"))


def assert_names_both(line: str, recorded: HashingModel, given: HashingModel) -> None:
    assert f"codes of model {recorded.fingerprint}" in line
    assert f"the model given is {given.fingerprint}" in line


@pytest.mark.parametrize("command", ["encode", "plan"])
def test_encode_with_another_model(pictures: PictureCatalog, command: str) -> None:
    other = fitted_model(seed=2)
    ModelStore(pictures.catalog, LocalStore()).save("lsh12", other, {})
    before = CodeTable.open(f"{pictures.catalog}/collections/pictures").snapshot()
    line = command_line.complaint(*encode(pictures, "lsh12", command), exit_code=CONFLICT)
    assert "collections/pictures" in line
    assert_names_both(line, pictures.model, other)
    assert CodeTable.open(f"{pictures.catalog}/collections/pictures").snapshot() == before


def test_query_an_index_whose_model_was_replaced(pictures: PictureCatalog, tmp_path: Path) -> None:
    other = fitted_model(seed=2)
    elsewhere = str(tmp_path / "elsewhere")
    ModelStore(elsewhere, LocalStore()).save("lsh12", other, {})
    shutil.copytree(Path(elsewhere, "models"), Path(pictures.catalog, "models"), dirs_exist_ok=True)
    query = ("query", "-C", pictures.catalog, "-i", "pictures", "--image", tmp_path / "pictures" / "0.png")
    line = command_line.complaint(*query, exit_code=CONFLICT)
    assert "index pictures" in line
    assert_names_both(line, pictures.model, other)
    evaluation = command_line.complaint("evaluate", "-C", pictures.catalog, "--index", "pictures", exit_code=CONFLICT)
    assert_names_both(evaluation, pictures.model, other)


def test_its_own_model_is_taken(pictures: PictureCatalog, tmp_path: Path) -> None:
    """Self-test: the refusals above come from the fingerprint. `lsh12@1` is the model of the collection."""
    ModelStore(pictures.catalog, LocalStore()).save("lsh12", fitted_model(seed=2), {})
    command_line.run(*encode(pictures, "lsh12@1", "plan"))
    command_line.run("query", "-C", pictures.catalog, "-i", "pictures", "--image", tmp_path / "pictures" / "0.png")
