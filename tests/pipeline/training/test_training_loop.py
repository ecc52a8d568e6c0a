"""The loop stops early, keeps the best epoch, and goes on from a checkpoint as if it had never stopped."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import GateFailed
from pipeline.object_store.local_store import LocalStore
from pipeline.training.checkpoint_store import CheckpointStore
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.training_loop import LoopSettings, TrainingLoop
from pipeline.training.training_note import TrainingNote
from pipeline.training.validation_slice import ValidationSlice, split_sample
from tests.pipeline.training.training_examples import (
    Script,
    TinyHasher,
    TinyRun,
    labelled_sample,
    tiny_hasher,
)

SAMPLE = labelled_sample()


class Training:
    """One loop over the tiny method, scripted."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        script: Script | None = None,
        share: float = 0.2,
        checkpoints: CheckpointStore | None = None,
        patience: int = 0,
        checkpoint_epochs: int = 1,
    ) -> None:
        monkeypatch.setattr(TinyHasher, "script", script or Script())
        self.hasher = tiny_hasher(num_epochs=len(script.quality) if script and script.quality else 6)
        labels = SAMPLE.class_numbers()
        split = split_sample(len(SAMPLE.keys), labels, share=share, seed=0)
        self.run = TinyRun(self.hasher, SAMPLE.features[split.training])
        validation = ValidationSlice(SAMPLE.features, labels, split, seed=0)
        settings = LoopSettings(patience=patience, checkpoint_epochs=checkpoint_epochs, checkpoints=checkpoints)
        self.loop = TrainingLoop(self.hasher, self.run, validation, settings)

    def finish(self) -> np.ndarray:
        """Train to the end; the weights that the hasher is left with."""
        news = list(self.loop.epochs())
        self.reported = [item for item in news if isinstance(item, EpochFigures)]
        self.notes = [item.text for item in news if isinstance(item, TrainingNote)]
        return np.array(self.hasher.tensors()["weights"])


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(str(tmp_path), LocalStore(), "tiny", "digest")


def test_every_epoch_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(monkeypatch)
    training.finish()
    assert [figures.epoch for figures in training.reported] == [1, 2, 3, 4, 5, 6]
    assert [figures.losses["loss"] for figures in training.reported] == pytest.approx(1 / np.arange(1, 7))
    assert {figures.num_epochs for figures in training.reported} == {6}
    assert all(figures.validation_metric == "map_at_10" for figures in training.reported)
    assert tuple(training.reported) == training.loop.history


def test_the_best_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(monkeypatch, script=Script(quality=[0, 4, 0, 1]))
    weights = training.finish()
    values = [figures.validation for figures in training.reported]
    assert training.loop.best_epoch == 2 == int(np.argmax(values)) + 1  # type: ignore[arg-type]
    until_then = Training(monkeypatch, script=Script(quality=[0, 4]), share=0)
    np.testing.assert_array_equal(weights, until_then.finish())


def test_without_validation_the_last_epoch_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(monkeypatch, script=Script(quality=[0, 4, 0]), share=0, patience=1)
    weights = training.finish()
    assert (training.loop.best_epoch, len(training.reported)) == (3, 3)
    assert not weights.any()


@pytest.mark.parametrize(("patience", "num_epochs"), [(1, 3), (2, 4), (3, 5), (0, 8)])
def test_patience(monkeypatch: pytest.MonkeyPatch, patience: int, num_epochs: int) -> None:
    """Epoch 2 is the best; none after it is better."""
    script = Script(quality=[0, 4, 0, 0, 0, 0, 0, 0])
    training = Training(monkeypatch, script=script, patience=patience)
    training.finish()
    assert len(training.reported) == num_epochs
    assert training.loop.best_epoch == 2


@pytest.mark.parametrize("stopped_after", range(1, 7))
@pytest.mark.parametrize("checkpoint_epochs", [1, 2])
@pytest.mark.parametrize("patience", [0, 3])
def test_resumed_it_ends_as_undisturbed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stopped_after: int, checkpoint_epochs: int, patience: int
) -> None:
    script = Script(quality=[0, 4, 0, 0, 0, 4])
    calm = Training(monkeypatch, script=script, patience=patience)
    expected = calm.finish()
    store = CheckpointStore(str(tmp_path), LocalStore(), "tiny", "digest")
    options = {"script": script, "patience": patience, "checkpoint_epochs": checkpoint_epochs, "checkpoints": store}
    killed = Training(monkeypatch, **options)  # type: ignore[arg-type]
    figures = (item for item in killed.loop.epochs() if isinstance(item, EpochFigures))
    list(islice(figures, stopped_after))  # and nothing after it: as if killed there
    resumed = Training(monkeypatch, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(resumed.finish(), expected)
    num_resumed = min(stopped_after, len(calm.reported))
    if checkpoint_epochs == 2 and num_resumed < 6:
        num_resumed -= num_resumed % 2
    assert resumed.loop.num_resumed_epochs == num_resumed
    assert resumed.notes == ([f"going on from a checkpoint after epoch {num_resumed}"] if num_resumed else [])
    assert resumed.run.epochs_run == list(range(num_resumed, len(calm.reported)))
    assert [f.validation for f in resumed.loop.history] == [f.validation for f in calm.loop.history]


def test_a_resume_that_forgets_the_state_goes_red(monkeypatch: pytest.MonkeyPatch, store: CheckpointStore) -> None:
    """Self-test of the comparison above."""
    expected = Training(monkeypatch).finish()
    list(islice(Training(monkeypatch, checkpoints=store).loop.epochs(), 3))
    monkeypatch.setattr(TinyRun, "load_state", lambda self, state: None)
    assert (Training(monkeypatch, checkpoints=store).finish() != expected).any()


def test_a_loss_that_is_no_number_fails_with_the_figures_before(
    monkeypatch: pytest.MonkeyPatch, store: CheckpointStore
) -> None:
    training = Training(monkeypatch, script=Script(diverges_in=2), checkpoints=store)
    with pytest.raises(GateFailed, match=r"in epoch 3: training diverged: loss became nan.*epoch 2/6: loss 0\.5"):
        training.finish()
    kept = store.latest()
    assert kept is not None
    assert kept.num_epochs_done == 2


def test_a_reported_loss_that_is_infinite_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(monkeypatch)
    monkeypatch.setattr(TinyRun, "run_epoch", lambda self, epoch: {"loss": 1.0, "pairs": float("inf")})
    with pytest.raises(GateFailed, match="in epoch 1: pairs = inf"):
        training.finish()
