"""Backbone features belong to one content of one folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.errors import InvalidSetting
from operators.features.backbone_features import BackboneFeatures
from tests.tiny_backbones import TINY_SIDE, save_tiny_resnet, save_tiny_vit


def test_settings_name_the_folder_and_its_content(tmp_path: Path) -> None:
    features = BackboneFeatures(folder=str(save_tiny_vit(tmp_path)))
    settings = features.settings()
    assert settings.keys() == {"folder", "pooling", "side", "sha256"}
    assert (settings["folder"], settings["pooling"], settings["side"]) == (str(tmp_path), "pooler", TINY_SIDE)
    assert len(str(settings["sha256"])) == 64


def test_other_weights_in_the_folder_are_refused(tmp_path: Path) -> None:
    settings = BackboneFeatures(folder=str(save_tiny_vit(tmp_path))).settings()
    weights = tmp_path / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InvalidSetting, match=f"the weights the model was made with .sha256 {settings['sha256']}, not"):
        BackboneFeatures.from_settings(settings)


def test_convolutional_network_takes_another_side(tmp_path: Path) -> None:
    features = BackboneFeatures(folder=str(save_tiny_resnet(tmp_path)), side=48)
    assert (features.side, features.num_dims) == (48, 16)
    assert features.extract(np.zeros((2, 48, 48, 3), dtype=np.uint8)).shape == (2, 16)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folder": ""}, r"backbone.folder = '': expected a non-empty text"),
        ({"folder": "/nowhere"}, r"backbone.folder = /nowhere: expected a local transformers folder"),
        ({"folder": "/nowhere", "pooling": "max"}, r"backbone.pooling = 'max': expected one of cls, mean, pooler"),
    ],
)
def test_impossible_settings(arguments: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        BackboneFeatures(**arguments)  # type: ignore[arg-type]


def test_rebuilding_needs_the_digest(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"backbone.sha256 = missing"):
        BackboneFeatures.from_settings({"folder": str(tmp_path), "pooling": "cls", "side": 32})
