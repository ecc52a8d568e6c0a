"""The figures of an epoch go through JSON and read as one line."""

from __future__ import annotations

import json

from pipeline.training.epoch_figures import EpochFigures

FIGURES = EpochFigures(
    epoch=3,
    num_epochs=20,
    losses={"loss": 0.125, "pairs": 2.0},
    validation_metric="map_at_10",
    validation=0.8125,
    mean_bit_entropy=0.75,
    num_distinct_codes=1234,
    num_measured=6000,
    seconds=2.25,
)


def test_there_and_back() -> None:
    assert EpochFigures.from_json(json.loads(json.dumps(FIGURES.to_json()))) == FIGURES


def test_in_words() -> None:
    assert str(FIGURES) == (
        "epoch 3/20: loss 0.125, pairs 2, validation map_at_10 0.8125, "
        "bit entropy 0.750, 1,234 distinct codes of 6,000, 2.2 s"
    )
    without = EpochFigures.from_json({**FIGURES.to_json(), "validation": None, "validation_metric": None})
    assert "validation" not in str(without)
