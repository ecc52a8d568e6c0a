"""Models are saved once, found by name and version, and checked when they are loaded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from operators.errors import NotFitted
from operators.features.hog_features import HogFeatures
from operators.hashers.hasher_registry import create_hasher
from operators.models.hashing_model import HashingModel
from pipeline.errors import CorruptFile, StorageError, UnknownName, UsageError
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore


def _pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)


def _model(seed: int = 0) -> HashingModel:
    features = HogFeatures(side=16)
    hasher = create_hasher("itq", num_bits=12, seed=seed)
    hasher.fit(features.extract(_pixels()))
    return HashingModel(features, hasher)


@pytest.fixture
def models(tmp_path: Path) -> ModelStore:
    return ModelStore(str(tmp_path), LocalStore())


def test_loaded_model_encodes_identically(models: ModelStore) -> None:
    model = _model()
    saved = models.save("itq12", model, {"source": "s3://photos", "num_items": 30})
    loaded, again = models.load("itq12")
    assert loaded == saved
    assert (saved.model_id, saved.fingerprint) == ("itq12@1", model.fingerprint)
    assert saved.lineage == {"source": "s3://photos", "num_items": 30}
    np.testing.assert_array_equal(again.encode_pixels(_pixels()).packed, model.encode_pixels(_pixels()).packed)


def test_versions_count_up_and_the_newest_is_the_default(models: ModelStore, tmp_path: Path) -> None:
    fingerprints = [models.save("itq12", _model(seed), {}).fingerprint for seed in range(3)]
    assert models.load("itq12")[0].model_id == "itq12@3"
    assert [models.load(f"itq12@{version}")[0].fingerprint for version in (1, 2, 3)] == fingerprints
    folder = tmp_path / "models" / "itq12" / "00002"
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_names_are_those_with_a_saved_version(models: ModelStore, tmp_path: Path) -> None:
    assert models.names() == ()
    for name in ("b", "a-1", "a"):
        models.save(name, _model(), {})
    (tmp_path / "models" / "started" / "00001").mkdir(parents=True)
    (tmp_path / "models" / "started" / "00001" / "model.safetensors").write_bytes(b"half")
    assert models.names() == ("a", "a-1", "b")


def test_unknown_names_and_versions_list_what_there_is(models: ModelStore) -> None:
    with pytest.raises(UnknownName, match="no model named 'itq12'; there is none yet"):
        models.load("itq12")
    models.save("lsh", _model(), {})
    with pytest.raises(UnknownName, match="no model named 'itq12'; known: lsh"):
        models.load("itq12")
    with pytest.raises(UnknownName, match="no model named 'lsh@2'; known: lsh@1"):
        models.load("lsh@2")
    with pytest.raises(UsageError, match="model name"):
        models.save("../lsh", _model(), {})


def test_a_killed_save_is_no_version_and_its_number_is_skipped(models: ModelStore, tmp_path: Path) -> None:
    models.save("itq12", _model(), {})
    (tmp_path / "models" / "itq12" / "00002").mkdir()
    (tmp_path / "models" / "itq12" / "00002" / "model.safetensors").write_bytes(b"half")
    assert models.load("itq12")[0].version == 1
    with pytest.raises(UnknownName, match="known: itq12@1"):
        models.load("itq12@2")
    assert models.save("itq12", _model(), {}).version == 3
    assert models.load("itq12")[0].version == 3


class _TogetherStore(LocalStore):
    """Holds every saver back after it looked for the next free number, until all of them have."""

    def __init__(self, num_savers: int) -> None:
        self._barrier = threading.Barrier(num_savers, timeout=30)
        self._arrived = threading.local()

    def create(self, uri: str, data: bytes) -> None:
        if not hasattr(self._arrived, "once"):
            self._arrived.once = True
            self._barrier.wait()
        super().create(uri, data)


@pytest.mark.parametrize("seeds", [(0, 0, 0, 0), (0, 1, 2, 3)], ids=["equal models", "different models"])
def test_savers_at_the_same_time_never_share_a_version(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    models = ModelStore(str(tmp_path), _TogetherStore(len(seeds)))
    with ThreadPoolExecutor(len(seeds)) as pool:
        saved = list(pool.map(lambda seed: models.save("itq12", _model(seed), {"saver": 1}), seeds))
    assert len({one.version for one in saved}) == len(seeds)
    for one in saved:
        assert models.load(one.model_id)[0] == one


@pytest.mark.parametrize("file", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("position", [0, 30, -3])
def test_a_flipped_byte_is_refused_by_name(models: ModelStore, tmp_path: Path, file: str, position: int) -> None:
    models.save("itq12", _model(), {"note": "x"})
    path = tmp_path / "models" / "itq12" / "00001" / file
    data = bytearray(path.read_bytes())
    data[position] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(CorruptFile, match=f"{path} is corrupt: .*; restore the file from a backup"):
        models.load("itq12")


def test_missing_tensors_and_files_of_another_model_are_refused(models: ModelStore, tmp_path: Path) -> None:
    models.save("itq12", _model(), {})
    models.save("other", _model(1), {})
    folder, other = (tmp_path / "models" / name / "00001" for name in ("itq12", "other"))
    (folder / "model.json").write_bytes((other / "model.json").read_bytes())
    with pytest.raises(CorruptFile, match="it is the record of other@1"):
        models.load("itq12")
    (other / "model.safetensors").unlink()
    with pytest.raises(CorruptFile, match=r"other/00001/model.safetensors is corrupt: it is missing"):
        models.load("other")


def test_a_fingerprint_that_no_longer_fits_is_refused(models: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    models.save("itq12", _model(), {})
    monkeypatch.setattr(HashingModel, "fingerprint", "0" * 64)
    with pytest.raises(CorruptFile, match=f"its fingerprint is [0-9a-f]{{64}}, that of its content {'0' * 64}"):
        models.load("itq12")


def test_a_model_that_was_not_fitted_is_not_saved(models: ModelStore, tmp_path: Path) -> None:
    with pytest.raises(NotFitted):
        models.save("itq12", HashingModel(HogFeatures(side=16), create_hasher("itq", num_bits=8, seed=0)), {})
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_fails_is_no_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="expected a local path"):
        ModelStore("s3://bucket", LocalStore()).load("itq12")


def test_arrays_keep_their_shapes(models: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks have counters, which are arrays without a dimension."""
    model = _model()
    tensors = {**model.tensors(), "counter": np.array(7, np.int64), "turned": np.arange(6.0).reshape(2, 3).T}
    monkeypatch.setattr(model.hasher, "tensors", lambda: tensors)
    models.save("itq12", model, {})
    stored = safetensors.numpy.load_file(next(tmp_path.rglob("model.safetensors")))
    assert {name: array.shape for name, array in stored.items()} == {n: t.shape for n, t in tensors.items()}
    np.testing.assert_array_equal(stored["turned"], tensors["turned"])
