"""From a source to a stored model: the same pictures and seed give the same one, and nothing is left over."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from operators.errors import InvalidSetting
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.feature_registry import create_features
from operators.training.workers import Workers
from pipeline.errors import EmptySource, GateFailed
from pipeline.model_store.model_store import ModelStore
from pipeline.model_store.stored_model import StoredModel
from pipeline.object_store.local_store import LocalStore
from pipeline.settings import TrainSettings
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.fit_request import FitRequest
from pipeline.training.hasher_training import ModelTarget
from pipeline.training.model_fitting import fit_model, read_request_sample, train_and_store
from tests.pipeline.training.picture_folders import spoil, write_classes

EXTRACTOR: FeatureExtractor = create_features("pixels", side=8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("pictures") / "classes")


def _request(pictures: Path, method: str = "orthohash", **changes: Any) -> FitRequest:
    by_method: dict[str, dict[str, Json]] = {"orthohash": {"network": "mlp", "num_epochs": 3, "batch_size": 30}}
    return FitRequest(
        method=method,
        num_bits=16,
        features="pixels",
        feature_settings={"side": 8},
        source=SourceSettings(uri=str(pictures)),
        hasher_settings=by_method.get(method, {}),
        **changes,
    )


def _target(folder: Path) -> ModelTarget:
    return ModelTarget(catalog=str(folder), store=LocalStore(), name="m")


@pytest.mark.parametrize("method", ["itq", "orthohash"])
def test_stored_as_fitted(tmp_path: Path, pictures: Path, method: str) -> None:
    request, target = _request(pictures, method), _target(tmp_path)
    sample = read_request_sample(request, target, EXTRACTOR)
    news = list(train_and_store(request, sample, EXTRACTOR, target))
    stored = news[-1]
    assert isinstance(stored, StoredModel)
    assert len([item for item in news if isinstance(item, EpochFigures)]) == (3 if method == "orthohash" else 0)
    model, lineage = fit_model(request)
    assert stored.fingerprint == model.fingerprint
    assert stored.lineage["data_sha256"] == lineage["data_sha256"] == sample.data_sha256
    _, loaded = ModelStore(str(tmp_path), LocalStore()).load("m")
    assert loaded.fingerprint == model.fingerprint
    assert not list((tmp_path / "training").rglob("*.*"))


def test_the_gate_stores_nothing_and_a_looser_one_has_nothing_left_to_train(tmp_path: Path, pictures: Path) -> None:
    target = _target(tmp_path)
    strict = _request(pictures, settings=TrainSettings.model_validate({"gate": {"min_distinct_codes": 1000}}))
    loose = _request(pictures, settings=TrainSettings.model_validate({"gate": {"enabled": False}}))
    sample = read_request_sample(strict, target, EXTRACTOR)
    with pytest.raises(GateFailed, match="at least 1,000 expected"):
        list(train_and_store(strict, sample, EXTRACTOR, target))
    assert not (tmp_path / "models").exists()
    news = list(train_and_store(loose, sample, EXTRACTOR, target))
    assert not [item for item in news if isinstance(item, EpochFigures)]
    stored = news[-1]
    assert isinstance(stored, StoredModel)
    assert stored.lineage["num_resumed_epochs"] == 3


def test_only_the_first_of_several_workers_stores(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("all_reduce", "broadcast"):
        monkeypatch.setattr(f"torch.distributed.{name}", lambda tensor, *_, **__: None)
    request, target = _request(pictures), _target(tmp_path)
    sample = read_request_sample(request, target, EXTRACTOR)
    assert list(train_and_store(request, sample, EXTRACTOR, target, Workers(rank=1, size=2))) == []
    assert not (tmp_path / "models").exists()
    assert not (tmp_path / "training").exists()


def test_cached_features_outlive_the_pictures(tmp_path: Path, pictures: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(pictures, own)
    target = _target(tmp_path / "catalog")
    first = read_request_sample(_request(own, cache_features=True), target, EXTRACTOR)
    spoil(own)
    again = read_request_sample(_request(own, "itq", cache_features=True), target, EXTRACTOR)
    assert again.data_sha256 == first.data_sha256
    with pytest.raises(EmptySource):
        read_request_sample(_request(own), target, EXTRACTOR)


def test_labels_are_needed(tmp_path: Path, pictures: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in pictures.rglob("*.png"):
        shutil.copy(path, flat / f"{path.parent.name}-{path.name}")
    with pytest.raises(InvalidSetting, match=r"orthohash.labels = none for 120 of 120 sampled pictures"):
        fit_model(_request(flat))
    fit_model(_request(flat, "lsh"))
