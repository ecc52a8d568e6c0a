"""Features by name."""

from __future__ import annotations

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.feature_registry import (
    create_features,
    feature_names,
    features_from_settings,
    features_use_accelerator,
)


def test_names_are_sorted_and_each_is_known() -> None:
    assert feature_names() == ("backbone", "gist", "hog", "hog-pixels", "pixels")
    assert [name for name in feature_names() if features_use_accelerator(name)] == ["backbone"]


def test_created_with_some_settings_and_defaults_for_the_rest() -> None:
    assert create_features("hog", side=28).settings() == {
        "side": 28,
        "cell_side": 7,
        "num_orientations": 9,
        "block_side": 2,
    }


def test_rebuilt_from_settings_whatever_the_device() -> None:
    features = features_from_settings("pixels", {"side": 2, "gray": True}, device="cuda")
    assert features.extract(np.zeros((1, 2, 2, 3), dtype=np.uint8)).shape == (1, 4)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("surf", {}, r"features = 'surf': expected one of backbone, gist, hog, hog-pixels, pixels"),
        ("hog", {"cells": 8}, r"hog.cells = 8: expected one of block_side, cell_side"),
        ("backbone", {}, r"backbone.folder = missing"),
    ],
)
def test_unknown_names(name: str, settings: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        create_features(name, **settings)


def test_rebuilding_needs_every_setting() -> None:
    with pytest.raises(InvalidSetting, match=r"pixels.gray = missing"):
        features_from_settings("pixels", {"side": 2})
    with pytest.raises(InvalidSetting, match=r"features = 'surf'"):
        features_use_accelerator("surf")
