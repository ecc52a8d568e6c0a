"""The train job on a local Ray: alone, with two workers, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting
from operators.features.feature_extractor import Json
from operators.models.hashing_model import HashingModel
from pipeline.errors import GateFailed, MissingExtra, SettingsError, UsageError
from pipeline.jobs.train_model import check_training, train_model
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from pipeline.settings import TrainSettings
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.fit_request import FitRequest
from pipeline.training.model_fitting import fit_model
from tests.pipeline.training.picture_folders import write_classes

TWO_WORKERS = TrainSettings(num_workers=2, cpus_per_worker=1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("pictures") / "classes", per_class=50)


def _request(pictures: Path, method: str = "orthohash", **changes: Any) -> FitRequest:
    learning: dict[str, Json] = {"network": "mlp", "num_epochs": 4, "batch_size": 100} if method == "orthohash" else {}
    return FitRequest(
        method=method,
        num_bits=16,
        features="pixels",
        feature_settings={"side": 8},
        source=SourceSettings(uri=str(pictures)),
        hasher_settings={**learning, **changes.pop("hasher_settings", {})},
        **changes,
    )


def _fitted_here(request: FitRequest) -> HashingModel:
    """On one thread: sums that are split otherwise end in other digits."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fit_model(request)[0]
    finally:
        torch.set_num_threads(num_threads)


@pytest.mark.usefixtures("local_ray")
def test_a_trainer_tells_its_epochs_and_stores_what_a_plain_call_fits(tmp_path: Path, pictures: Path) -> None:
    told: list[Any] = []
    request = _request(pictures, settings=TrainSettings(cpus_per_worker=1))
    stored = train_model(str(tmp_path), "m", request, told.append)
    assert all(isinstance(figures, EpochFigures) for figures in told)
    assert [figures.epoch for figures in told] == [1, 2, 3, 4]
    assert stored.model_id == "m@1"
    assert stored.fingerprint == _fitted_here(request).fingerprint


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("local_ray")
def test_two_workers_learn_what_one_does(tmp_path: Path, pictures: Path) -> None:
    """Not bit for bit: each normalises by the statistics of its half of a batch. The loss is a mean over items, so
    averaged gradients are else those of the whole batch: nearly all bits are the same, and neighbours are as good."""
    told: list[Any] = []
    stored = train_model(str(tmp_path), "two", _request(pictures, settings=TWO_WORKERS), told.append)
    assert all(isinstance(figures, EpochFigures) for figures in told)
    assert [figures.epoch for figures in told] == [1, 2, 3, 4]
    assert stored.lineage["num_workers"] == 2
    alone, lineage = fit_model(_request(pictures))
    _, together = ModelStore(str(tmp_path), LocalStore()).load("two")
    pixels = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3)).astype(np.uint8)
    equal = alone.encode_pixels(pixels).to_bits() == together.encode_pixels(pixels).to_bits()
    assert equal.mean() > 0.85
    history = lineage["history"]
    assert isinstance(history, list)
    assert told[-1].validation is not None
    assert abs(told[-1].validation - history[-1]["validation"]) < 0.05  # type: ignore[call-overload, index]
    assert not list((tmp_path / "training").rglob("*.*"))


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("local_ray")
def test_a_refusal_of_a_worker_comes_through(tmp_path: Path, pictures: Path) -> None:
    strict = TrainSettings.model_validate({**TWO_WORKERS.model_dump(), "gate": {"min_distinct_codes": 10**6}})
    with pytest.raises(GateFailed, match="at least 1,000,000 expected"):
        train_model(str(tmp_path), "two", _request(pictures, settings=strict))
    assert not (tmp_path / "models").exists()


@pytest.mark.usefixtures("local_ray")
def test_refusals_of_the_trainer_come_through(tmp_path: Path, pictures: Path) -> None:
    few = _request(pictures, "itq", sample_items=5)
    with pytest.raises(InvalidSetting, match="itq"):
        train_model(str(tmp_path), "m", few)
    with pytest.raises(SettingsError, match="learns in one go"):
        train_model(str(tmp_path), "m", _request(pictures, "itq", settings=TWO_WORKERS))


def test_what_is_refused_before_ray(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, path in enumerate(pictures.rglob("*.png")):
        shutil.copy(path, flat / f"{number:03}.png")
    with pytest.raises(InvalidSetting, match=r"orthohash.labels = none for 000.png of .*/flat: expected a class"):
        check_training("m", _request(flat))
    assert check_training("m", _request(flat, "itq")).method == "itq"
    with pytest.raises(UsageError, match="model name"):
        check_training("../m", _request(pictures))
    with pytest.raises(InvalidSetting, match=r"orthohash.colour"):
        check_training("m", _request(pictures, hasher_settings={"colour": 1}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"bitquarry\[train\]"):
        check_training("m", _request(pictures, settings=TWO_WORKERS))


def test_settings_are_stated_in_full(pictures: Path) -> None:
    checked = check_training("m", _request(pictures))
    assert checked.feature_settings == {"side": 8, "gray": False}
