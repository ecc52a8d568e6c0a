"""kill -9 of the trainer and of the driver while a method learns; then the same command again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from pipeline.object_store.local_store import LocalStore
from pipeline.training.checkpoint_store import CheckpointStore
from pipeline.training.training_checkpoint import TrainingCheckpoint
from tests import command_line
from tests.faults.encode_corpus import processes
from tests.faults.moments import at_moments
from tests.pipeline.training.picture_folders import write_classes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
NUM_EPOCHS = 300  # enough for a kill to find it at work
METHOD = ("--method", "dsh", "--method-set", "network=mlp", "--method-set", f"num_epochs={NUM_EPOCHS}")
OPTIONS = ("--num-bits", "16", "--features", "pixels", "--feature-set", "side=8", "--validation-share", "0", "--json")


class TrainCorpus:
    """Pictures, and what an undisturbed `train` makes of them. Each test has a catalog of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = write_classes(folder / "pictures", per_class=200)
        self.config = folder / "settings.yaml"
        # One thread: two that wait for each other crawl on a busy machine.
        self.config.write_text("ray: {num_cpus: 2}\ntrain: {cpus_per_worker: 1}\n")
        self.calm = self.facts_of(*self.finish("calm"))

    def command(self, catalog: str) -> tuple[str | Path, ...]:
        place = ("-C", self.folder / catalog, "-n", "m", "-s", self.pictures, "--config", self.config)
        return ("train", *place, *METHOD, *OPTIONS)

    def kill(self, catalog: str, moment: int, victims: Callable[[subprocess.Popen[str]], list[int]]) -> int:
        """Start the command, kill the victims when `moment` epochs are in the checkpoint; the exit code."""
        driver = command_line.start(*self.command(catalog))
        num_killed = 0
        for _ in at_moments(driver, lambda: self.num_epochs_kept(catalog), [moment]):
            for victim in victims(driver):
                os.kill(victim, signal.SIGKILL)
                num_killed += 1
        driver.communicate(timeout=200)
        assert num_killed >= 1, "nothing was killed: the test showed nothing"
        return driver.returncode

    def finish(self, catalog: str) -> tuple[int, str, str]:
        driver = command_line.start(*self.command(catalog))
        output, complaints = driver.communicate(timeout=200)
        return driver.returncode, output, complaints

    def facts_of(self, exit_code: int, output: str, complaints: str) -> dict[str, Any]:
        assert exit_code == 0, complaints
        facts: dict[str, Any] = json.loads(output)
        return facts

    def records(self, catalog: str) -> list[Path]:
        return sorted((self.folder / catalog / "training").rglob("*.json"))

    def num_epochs_kept(self, catalog: str) -> int:
        return max((int(path.stem) for path in self.records(catalog)), default=0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> TrainCorpus:
    return TrainCorpus(tmp_path_factory.mktemp("train-faults"))


def _trainer(driver: subprocess.Popen[str]) -> list[int]:
    return [process.pid for process in processes(driver, "ray::TrainerActor")]


def _driver_first(driver: subprocess.Popen[str]) -> list[int]:
    """The driver, and its trainer right after it, so that none trains on behind our back."""
    trainers = _trainer(driver)
    return [driver.pid, *(pid for pid in trainers if psutil.pid_exists(pid))]


def test_killed_and_started_again_it_ends_as_undisturbed(corpus: TrainCorpus) -> None:
    assert corpus.kill("kills", 3, _trainer) == 1
    assert corpus.kill("kills", corpus.num_epochs_kept("kills") + 3, _driver_first) == -signal.SIGKILL
    before = corpus.num_epochs_kept("kills")
    assert before >= 6
    facts = corpus.facts_of(*corpus.finish("kills"))
    assert facts["num_resumed_epochs"] >= before
    assert facts["fingerprint"] == corpus.calm["fingerprint"]
    assert corpus.calm["num_resumed_epochs"] == 0
    for key in ("losses", "mean_bit_entropy", "num_distinct_codes"):
        assert [epoch[key] for epoch in facts["history"]] == [epoch[key] for epoch in corpus.calm["history"]]
    assert corpus.records("kills") == []


def test_a_checkpoint_that_lost_its_momentum_goes_red(corpus: TrainCorpus) -> None:
    """Self-test: the comparison notices a resume that does not restore everything."""
    corpus.kill("red", 2, _trainer)
    digest = corpus.records("red")[0].parent.name
    store = CheckpointStore(str(corpus.folder / "red"), LocalStore(), "m", digest)
    kept = store.latest()
    assert kept is not None
    forgetful = {
        name: np.zeros_like(array) if name.startswith("optimizer.") else array for name, array in kept.state.items()
    }
    store.save(TrainingCheckpoint(state=forgetful, best=kept.best, history=kept.history))
    facts = corpus.facts_of(*corpus.finish("red"))
    assert facts["num_resumed_epochs"] >= 2
    assert facts["fingerprint"] != corpus.calm["fingerprint"]


def test_a_torn_checkpoint_is_named_and_not_used(corpus: TrainCorpus) -> None:
    corpus.kill("torn", 2, _trainer)
    newest = corpus.records("torn")[-1]
    torn = newest.parent / json.loads(newest.read_text())["tensors_file"]
    for path in newest.parent.glob("*.safetensors"):  # the kill may have left an older one, or half of the next
        path.write_bytes(path.read_bytes()[:-1000])
    exit_code, output, complaints = corpus.finish("torn")
    facts = corpus.facts_of(exit_code, output, complaints)
    assert f"checkpoint passed over: {torn} is corrupt: its sha256 is" in complaints
    assert facts["num_resumed_epochs"] == 0
    assert facts["fingerprint"] == corpus.calm["fingerprint"]
