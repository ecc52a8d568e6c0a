"""`bitquarry train` as users run it: both kinds of methods, the gate's exit code, cached features, event files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from operators.hashers.hasher_registry import method_names
from tests import command_line
from tests.pipeline.training.picture_folders import spoil, write_classes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]
PIXELS = ("--features", "pixels", "--feature-set", "side=8")
LEARNING = ("--method", "orthohash", "--method-set", "network=mlp", "--method-set", "num_epochs=3")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("pictures") / "classes", per_class=50)


def test_help_names_every_method() -> None:
    shown = command_line.run("train", "--help").replace("│", " ")
    words = set(shown.replace(",", " ").replace(".", " ").split())
    assert set(method_names()) <= words
    assert "<methods>" not in shown


def test_a_trained_method_with_its_history_and_event_files(tmp_path: Path, pictures: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    own, events = tmp_path / "pictures", tmp_path / "events"
    shutil.copytree(pictures, own)
    common = ("-C", tmp_path / "catalog", "-n", "m", "-s", own, *PIXELS, "-b", "16", "--cache-features")
    facts = json.loads(command_line.run("train", *common, *LEARNING, "--tensorboard", events, "--json"))
    assert facts["model"] == "m@1"
    assert [epoch["epoch"] for epoch in facts["history"]] == [1, 2, 3]
    assert facts["history"][-1]["validation"] > 0.5
    read = EventAccumulator(str(events))
    read.Reload()
    validation = [epoch["validation"] for epoch in facts["history"]]
    assert [event.value for event in read.Scalars("validation/map_at_10")] == pytest.approx(validation)

    spoil(own)  # another method reads no picture
    kept = json.loads(command_line.run("train", *common, "--method", "itq", "--json"))
    assert (kept["method"], kept["data_sha256"]) == ("itq", facts["data_sha256"])


def test_collapsed_codes_exit_with_5(tmp_path: Path, pictures: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("train: {gate: {min_distinct_codes: 100000}}\n")
    common = ("-C", tmp_path / "catalog", "-n", "m", "-s", pictures, *PIXELS, "--config", config, "--method", "lsh")
    said = command_line.complaint("train", *common, exit_code=5)
    assert "distinct codes, at least 100,000 expected" in said
    assert not (tmp_path / "catalog" / "models").exists()
    assert "model m@1: lsh on pixels" in command_line.run("train", *common, "--no-gate")


def test_diverging_exits_with_5(tmp_path: Path, pictures: Path) -> None:
    wild = ("--method", "dsh", "--method-set", "network=mlp", "--method-set", "rate=10", "--no-gate")
    common = ("-C", tmp_path / "catalog", "-n", "m", "-s", pictures, *PIXELS)
    said = command_line.complaint("train", *common, *wild, exit_code=5)
    assert "training broke down in epoch" in said or "NaN or infinite" in said
    assert not (tmp_path / "catalog" / "models").exists()


def test_a_gpu_that_is_not_there_is_an_error(tmp_path: Path, pictures: Path) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("ray: {num_cpus: 2}\n")
    common = ("-C", tmp_path / "catalog", "-n", "m", "-s", pictures, *PIXELS, *LEARNING, "--config", config)
    said = command_line.complaint("train", *common, "--device", "cuda", exit_code=1)
    assert "the cluster has 0 GPUs" in said
