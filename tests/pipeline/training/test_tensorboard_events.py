"""Event files are what TensorBoard itself reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pipeline.errors import MissingExtra
from pipeline.training.epoch_figures import EpochFigures
from pipeline.training.tensorboard_events import TensorboardEvents
from tests.pipeline.training.test_epoch_figures import FIGURES


def test_read_back(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    unmeasured = EpochFigures.from_json({**FIGURES.to_json(), "epoch": 4, "validation": None})
    with TensorboardEvents(str(tmp_path / "events")) as events:
        for figures in (FIGURES, unmeasured):
            events(figures)
    read = EventAccumulator(str(tmp_path / "events"))
    read.Reload()
    found = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert found == {
        "loss/loss": [(3, 0.125), (4, 0.125)],
        "loss/pairs": [(3, 2.0), (4, 2.0)],
        "validation/map_at_10": [(3, 0.8125)],
        "codes/bit_entropy": [(3, 0.75), (4, 0.75)],
        "codes/distinct": [(3, 1234.0), (4, 1234.0)],
        "epoch/seconds": [(3, 2.25), (4, 2.25)],
    }


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'bitquarry\[tensorboard\]'"):
        TensorboardEvents(str(tmp_path))
