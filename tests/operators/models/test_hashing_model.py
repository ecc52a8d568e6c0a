"""A hashing model is its description and its tensors, and its fingerprint names both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest

from operators.errors import InvalidSetting, NonFiniteFeatures, NotFitted, ShapeMismatch
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.hog_features import HogFeatures
from operators.features.pixel_features import PixelFeatures
from operators.hashers.hasher_registry import create_hasher
from operators.models.hashing_model import HashingModel


def _pixels(num_items: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_items, 16, 16, 3), dtype=np.uint8)


def _model(*, cell_side: int = 8, method: str = "itq", num_bits: int = 12, seed: int = 0) -> HashingModel:
    features = HogFeatures(side=16, cell_side=cell_side)
    hasher = create_hasher(method, num_bits=num_bits, seed=seed)
    hasher.fit(features.extract(_pixels()))
    return HashingModel(features, hasher)


class _SometimesInfinite(FeatureExtractor):
    """The mean of each picture, infinite for black ones."""

    name: ClassVar[str] = "sometimes_infinite"
    side = 16
    num_dims = 1

    def settings(self) -> dict[str, Json]:
        return {}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Json]) -> _SometimesInfinite:
        return cls()

    def extract(self, pixels: np.ndarray) -> np.ndarray:
        means = pixels.reshape(len(pixels), -1).mean(axis=1, dtype=np.float32)[:, None]
        return np.where(means > 0, means, np.float32(np.inf))


def test_encodes_what_the_hasher_makes_of_the_features() -> None:
    model = _model()
    assert (model.side, model.num_bits) == (16, 12)
    expected = model.hasher.encode(model.features.extract(_pixels()))
    np.testing.assert_array_equal(model.encode_pixels(_pixels()).packed, expected.packed)
    assert len(model.encode_pixels(_pixels(0))) == 0


@pytest.mark.parametrize("method", ["itq", "lsh"])
def test_restored_from_json_and_tensors_it_encodes_alike(method: str) -> None:
    model = _model(method=method)
    description = json.loads(json.dumps(model.description()))
    again = HashingModel.restore(description, model.tensors())
    assert again.fingerprint == model.fingerprint
    np.testing.assert_array_equal(again.encode_pixels(_pixels()).packed, model.encode_pixels(_pixels()).packed)


def test_equal_models_have_equal_fingerprints() -> None:
    assert len(_model().fingerprint) == 64
    assert _model().fingerprint == _model().fingerprint == _model().fingerprint.lower()


@pytest.mark.parametrize("changed", [{"cell_side": 4}, {"method": "lsh"}, {"num_bits": 8}, {"seed": 1}])
def test_every_setting_changes_the_fingerprint(changed: dict[str, object]) -> None:
    assert _model(**changed).fingerprint != _model().fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["mean", "projection"])
def test_every_weight_changes_the_fingerprint(name: str) -> None:
    model = _model()
    tensors = {key: tensor.copy() for key, tensor in model.tensors().items()}
    tensors[name].view(np.uint32).reshape(-1)[-1] ^= 1
    assert HashingModel.restore(model.description(), tensors).fingerprint != model.fingerprint


def test_memory_layout_of_a_weight_does_not_change_the_fingerprint() -> None:
    model = _model()
    tensors = {key: np.asfortranarray(tensor) for key, tensor in model.tensors().items()}
    assert HashingModel.restore(model.description(), tensors).fingerprint == model.fingerprint


def test_pictures_without_finite_features_are_named() -> None:
    hasher = create_hasher("lsh", num_bits=4, seed=0)
    hasher.fit(np.ones((1, 1), np.float32))
    pixels = _pixels(4)
    pixels[[1, 3]] = 0
    with pytest.raises(NonFiniteFeatures) as raised:
        HashingModel(_SometimesInfinite(), hasher).encode_pixels(pixels)
    assert raised.value.rows == (1, 3)


def test_wrong_pixels_and_a_hasher_that_was_not_fitted() -> None:
    with pytest.raises(ShapeMismatch, match=r"expected uint8 \(batch, 16, 16, 3\)"):
        _model().encode_pixels(_pixels()[:, :8])
    raw = HashingModel(PixelFeatures(side=16), create_hasher("itq", num_bits=8, seed=0))
    for call in (lambda: raw.encode_pixels(_pixels()), raw.tensors, lambda: raw.fingerprint):
        with pytest.raises(NotFitted, match="itq has not been fitted"):
            call()


def _replaced(**changed: Json) -> dict[str, Json]:
    return {**_model().description(), **changed}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"format": 2}, r"model.format = 2: expected 1; use a newer bitquarry"),
        ({"more": 1}, r"model.more = 1: expected one of features, format, hasher"),
        ({"features": "hog"}, r"model.features = 'hog': expected an object with name and settings"),
        ({"features": {"name": "hog"}}, r"model.features.settings = missing"),
        ({"features": {"name": "hog", "settings": 3}}, r"model.features.settings = 3: expected an object"),
        ({"hasher": {"method": "pca", "settings": {}}}, r"method = 'pca'"),
    ],
)
def test_descriptions_that_are_none(changed: dict[str, Json], message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        HashingModel.restore(_replaced(**changed), _model().tensors())


def test_tensors_of_another_width_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="itq projection"):
        HashingModel.restore(_model(num_bits=8).description(), _model(num_bits=12).tensors())
