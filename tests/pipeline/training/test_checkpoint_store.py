"""Checkpoints: the newest whole one of the same request, and never anything else."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.local_store import LocalStore
from pipeline.object_store.object_store import ObjectStore
from pipeline.object_store.open_store import open_store
from pipeline.training.checkpoint_store import CheckpointStore
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.training_checkpoint import TrainingCheckpoint
from tests.pipeline.training.test_epoch_figures import FIGURES
from tests.s3_server import S3Server


def _checkpoint(num_epochs: int) -> TrainingCheckpoint:
    history = tuple(EpochFigures.from_json({**FIGURES.to_json(), "epoch": n + 1}) for n in range(num_epochs))
    state = {"walk": np.full((3, 4), num_epochs, np.float64), "step": np.array(num_epochs, np.int64)}
    return TrainingCheckpoint(state=state, best={"walk": np.zeros(2, np.uint8)}, history=history)


@pytest.fixture(params=["local", "s3"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "catalog")
    server: S3Server = request.getfixturevalue("s3_server")
    return f"{server.uri}/catalog"


def _store(catalog: str, digest: str = "d1") -> CheckpointStore:
    return CheckpointStore(catalog, open_store(catalog), "m", digest)


def _files(catalog: str) -> list[str]:
    return [info.uri.removeprefix(f"{catalog}/") for info in open_store(catalog).list(catalog)]


def test_the_newest_is_kept_and_comes_back_whole(catalog: str) -> None:
    store = _store(catalog)
    assert store.latest() is None
    for num_epochs in (1, 2, 3):
        store.save(_checkpoint(num_epochs))
    assert len(_files(catalog)) == 2
    found, expected = _store(catalog).latest(), _checkpoint(3)
    assert found is not None
    assert found.history == expected.history
    assert found.num_epochs_done == 3
    assert found.state.keys() == expected.state.keys()
    for name, array in expected.state.items():
        np.testing.assert_array_equal(found.state[name], array)
        assert (found.state[name].dtype, found.state[name].shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(found.best["walk"], np.zeros(2, np.uint8))
    assert store.at_epoch(3).history == expected.history
    with pytest.raises(ObjectNotFound):
        store.at_epoch(2)
    store.remove()
    assert _files(catalog) == []
    assert store.latest() is None


def test_other_requests_are_left_alone_and_named(catalog: str, caplog: pytest.LogCaptureFixture) -> None:
    _store(catalog, "d2").save(_checkpoint(5))
    with caplog.at_level(logging.WARNING):
        assert _store(catalog, "d1").latest() is None
    assert "training/m/d2 holds a checkpoint of other settings or other data" in caplog.text
    _store(catalog, "d1").remove()
    assert _store(catalog, "d2").latest() is not None


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("ending", [".json", ".safetensors"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_ones_are_named_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, position: float, ending: str, damage: str
) -> None:
    store = _store(str(tmp_path))
    store.save(_checkpoint(1))
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    store.save(_checkpoint(2))
    for path, content in kept.items():
        path.write_bytes(content)
    path = next(path for path in tmp_path.rglob(f"000002*{ending}"))
    data = bytearray(path.read_bytes())
    where = int(position * len(data))
    data[where] ^= 1
    path.write_bytes(bytes(data) if damage == "flip" else bytes(data[:where]))
    if damage == "remove":
        path.unlink()
    found = store.latest()
    assert found is not None
    assert found.num_epochs_done == 1
    if not (damage == "remove" and ending == ".json"):
        assert "checkpoint passed over" in caplog.text
        assert "000002" in caplog.text


def test_a_record_that_was_put_there_from_another_request_is_not_used(tmp_path: Path) -> None:
    other = _store(str(tmp_path), "d2")
    other.save(_checkpoint(4))
    (tmp_path / "training" / "m" / "d2").rename(tmp_path / "training" / "m" / "d1")
    assert _store(str(tmp_path), "d1").latest() is None
    assert json.loads(next(tmp_path.rglob("*.json")).read_text())["request"] == "d2"


class _FullDisk(LocalStore):
    """Fails the write of what ends with `ending`."""

    def __init__(self, ending: str) -> None:
        self.ending = ending

    def write(self, uri: str, data: bytes) -> None:
        if uri.endswith(self.ending):
            raise StorageError(f"{uri}: write failed: No space left on device")
        super().write(uri, data)


@pytest.mark.parametrize("ending", [".json", ".safetensors"])
def test_a_write_that_fails_leaves_the_one_before(tmp_path: Path, ending: str) -> None:
    _store(str(tmp_path)).save(_checkpoint(1))
    full: ObjectStore = _FullDisk(ending)
    with pytest.raises(StorageError, match="No space left"):
        CheckpointStore(str(tmp_path), full, "m", "d1").save(_checkpoint(2))
    found = _store(str(tmp_path)).latest()
    assert found is not None
    assert found.num_epochs_done == 1
