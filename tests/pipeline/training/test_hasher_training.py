"""Fitting on a sample: in one go or by epochs, gated, with a lineage; checkpoints belong to one request."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.feature_registry import create_features
from operators.hashers.hasher_registry import create_hasher
from pipeline.errors import GateFailed
from pipeline.object_store.local_store import LocalStore
from pipeline.settings import TrainSettings
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.fit_request import FitRequest
from pipeline.training.hasher_training import HasherTraining, ModelTarget, TrainingPlace, learns_by_epochs
from pipeline.training.sample_features import SampledFeatures
from tests.pipeline.training.training_examples import Script, TinyHasher, labelled_sample

SAMPLE = labelled_sample()
EXTRACTOR = create_features("pixels", side=8)


@pytest.fixture(autouse=True)
def _tiny_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TinyHasher, "script", Script())
    monkeypatch.setattr(TinyHasher, "needs_labels", False)
    monkeypatch.setattr(
        "pipeline.training.hasher_training.create_hasher",
        lambda method, **chosen: TinyHasher(**chosen) if method == "tiny" else create_hasher(method, **chosen),
    )


def _request(method: str = "tiny", settings: dict[str, Any] | None = None, **changes: Any) -> FitRequest:
    return FitRequest(
        method=method,
        num_bits=changes.pop("num_bits", 12),
        features="pixels",
        source=SourceSettings(uri="anywhere"),
        settings=TrainSettings.model_validate(settings or {}),
        **changes,
    )


def _trained(
    request: FitRequest, sample: SampledFeatures = SAMPLE, target: ModelTarget | None = None
) -> HasherTraining:
    training = HasherTraining(request, sample, EXTRACTOR, TrainingPlace(target=target))
    for _ in training.epochs():
        pass
    return training


def test_a_method_that_learns_in_one_go() -> None:
    training = _trained(_request("itq", num_bits=4))
    expected = create_hasher("itq", num_bits=4, seed=0)
    expected.fit(SAMPLE.features)
    np.testing.assert_array_equal(
        training.hasher.encode(SAMPLE.features).packed, expected.encode(SAMPLE.features).packed
    )
    lineage = training.lineage(training.check())
    assert lineage["num_sampled"] == 120
    assert lineage["data_sha256"] == SAMPLE.data_sha256
    assert lineage["code_health"]["num_items"] == 120  # type: ignore[index, call-overload]
    assert "history" not in lineage
    assert not learns_by_epochs(training.hasher)


def test_a_method_that_learns_by_epochs_tells_its_history() -> None:
    training = _trained(_request())
    lineage = training.lineage(training.check())
    history = lineage["history"]
    assert isinstance(history, list)
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4, 5, 6]  # type: ignore[index, call-overload]
    assert lineage["best_epoch"] in range(1, 7)
    assert (lineage["num_workers"], lineage["device"], lineage["num_resumed_epochs"]) == (1, "cpu", 0)
    assert lineage["fit_seconds"] == sum(epoch["seconds"] for epoch in history)  # type: ignore[index, call-overload, misc]
    assert learns_by_epochs(training.hasher)


def test_labels_that_are_missing_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TinyHasher, "needs_labels", True)
    _trained(_request())
    labels = (None, None, *SAMPLE.labels[2:])
    with pytest.raises(InvalidSetting, match=r"tiny.labels = none for 2 of 120 sampled pictures.*class folders"):
        _trained(_request(), SampledFeatures(**{**vars(SAMPLE), "labels": labels}))


def test_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TinyHasher, "script", Script(quality=[0] * 6))
    with pytest.raises(GateFailed, match=r"1 distinct codes, at least 10 expected"):
        _trained(_request()).check()
    assert _trained(_request(settings={"gate": {"enabled": False}})).check().num_distinct_codes == 1


def test_weights_that_are_no_numbers_pass_no_gate() -> None:
    training = _trained(_request(settings={"gate": {"enabled": False}}))
    assert isinstance(training.hasher, TinyHasher)
    assert training.hasher.weights is not None
    training.hasher.weights[0, 0] = np.nan
    with pytest.raises(GateFailed, match="NaN or infinite"):
        training.check()


def _target(folder: Path) -> ModelTarget:
    return ModelTarget(catalog=str(folder), store=LocalStore(), name="m")


def _folder_of(request: FitRequest, folder: Path, sample: SampledFeatures = SAMPLE) -> str:
    _trained(request, sample, _target(folder))
    return next(folder.rglob("*.json")).parent.name


def test_checkpoints_belong_to_a_request_and_its_data(tmp_path: Path) -> None:
    relabelled = SampledFeatures(**{**vars(SAMPLE), "labels": (*SAMPLE.labels[1:], SAMPLE.labels[0])})
    others = [
        _folder_of(_request(), tmp_path / "0"),
        _folder_of(_request(seed=1), tmp_path / "1"),
        _folder_of(_request(num_bits=13), tmp_path / "2"),
        _folder_of(_request(hasher_settings={"num_epochs": 7}), tmp_path / "3"),
        _folder_of(_request(settings={"validation_share": 0.2}), tmp_path / "4"),
        _folder_of(_request(settings={"patience": 3}), tmp_path / "5"),
        _folder_of(_request(), tmp_path / "6", labelled_sample(seed=1)),
        _folder_of(_request(), tmp_path / "7", labelled_sample(124)),
        _folder_of(_request(), tmp_path / "8", relabelled),
    ]
    assert others[0] == others[6], "digests of pictures are by position here"
    assert len(set(others)) == 8
    same = dataclasses.replace(_request(settings={"gate": {"enabled": False}, "checkpoint_epochs": 3}), num_threads=4)
    assert _folder_of(same, tmp_path / "9") == others[0]


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first = _trained(_request(), target=_target(tmp_path))
    again = _trained(_request(), target=_target(tmp_path))
    assert again.lineage(again.check())["num_resumed_epochs"] == 6
    np.testing.assert_array_equal(first.hasher.tensors()["weights"], again.hasher.tensors()["weights"])
    again.forget_checkpoints()
    assert not list(tmp_path.rglob("*.json"))
