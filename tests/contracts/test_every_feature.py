"""One contract over every feature in the registry."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import operators.features
from operators.errors import InvalidSetting, ShapeMismatch
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.feature_registry import create_features, feature_names, features_from_settings
from tests.tiny_backbones import save_tiny_convnext, save_tiny_resnet, save_tiny_vit

# A feature that is listed nowhere here is never tested: `test_every_class_is_registered_and_has_a_case` fails then.
_PLAIN_CASES: dict[str, tuple[str, dict[str, Json]]] = {
    "pixels": ("pixels", {"side": 28}),
    "gray pixels": ("pixels", {"side": 28, "gray": True}),
    "hog 28": ("hog", {"side": 28}),
    "hog 64": ("hog", {}),
    "hog of one block": ("hog", {"side": 16}),
    "hog and pixels": ("hog-pixels", {"side": 16}),
    "gist": ("gist", {"side": 32}),
}
_BACKBONES = {"vit": save_tiny_vit, "resnet": save_tiny_resnet, "convnext": save_tiny_convnext}
_CASES = (*_PLAIN_CASES, *_BACKBONES)

_DIGEST_IN_A_PROCESS = """
import sys, json, hashlib, numpy as np
from operators.features.feature_registry import create_features
features = create_features(sys.argv[1], **json.loads(sys.argv[2]))
pixels = np.random.default_rng(1).integers(0, 256, (9, features.side, features.side, 3), dtype=np.uint8)
print(hashlib.sha256(features.extract(pixels).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FeatureExtractor]:
    """Makes the features of a case; a backbone's folder is written once."""
    built: dict[str, FeatureExtractor] = {}

    def build_case(case: str) -> FeatureExtractor:
        if case not in built:
            if case in _BACKBONES:
                folder = str(_BACKBONES[case](tmp_path_factory.mktemp(case)))
                built[case] = create_features("backbone", folder=folder)
            else:
                name, chosen = _PLAIN_CASES[case]
                built[case] = create_features(name, **chosen)
        return built[case]

    return build_case


@pytest.fixture(params=_CASES)
def features(request: pytest.FixtureRequest, build: Callable[[str], FeatureExtractor]) -> FeatureExtractor:
    return build(request.param)


def _pixels(features: FeatureExtractor, num_items: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (num_items, features.side, features.side, 3), dtype=np.uint8)
    pixels[num_items // 2 :] //= 9
    return pixels


def test_every_class_is_registered_and_has_a_case() -> None:
    found = set()
    for module in pkgutil.iter_modules(operators.features.__path__, "operators.features."):
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(cls, FeatureExtractor) and not inspect.isabstract(cls):
                found.add(cls.name)
    assert found == set(feature_names())
    assert found == {name for name, _ in _PLAIN_CASES.values()} | {"backbone"}


def test_shape_dtype_and_finite_values(features: FeatureExtractor) -> None:
    for num_items in (0, 1, 3):
        extracted = features.extract(_pixels(features, num_items))
        assert extracted.shape == (num_items, features.num_dims)
        assert extracted.dtype == np.float32
        assert np.isfinite(extracted).all()


def test_black_and_white_pictures_have_finite_features(features: FeatureExtractor) -> None:
    for level in (0, 255):
        flat = np.full((2, features.side, features.side, 3), level, dtype=np.uint8)
        assert np.isfinite(features.extract(flat)).all()


def test_different_pictures_have_different_features(features: FeatureExtractor) -> None:
    extracted = features.extract(_pixels(features, 6))
    assert len(np.unique(extracted, axis=0)) == 6


@pytest.mark.parametrize("case", _CASES)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_split_and_no_order_changes_a_bit(
    case: str, build: Callable[[str], FeatureExtractor], data: st.DataObject
) -> None:
    features = build(case)
    # Past 41 pictures HOG takes 28 px pictures in several groups.
    num_items = data.draw(st.sampled_from([2, 3, 5, 8] if case != "hog 28" else [3, 43, 90]))
    pixels = _pixels(features, num_items, data.draw(st.integers(0, 2**32)))
    whole = features.extract(pixels)
    cuts = sorted(data.draw(st.sets(st.integers(1, num_items - 1), max_size=5)))
    parts = [features.extract(part) for part in np.split(pixels, cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    one = data.draw(st.integers(0, num_items - 1))
    np.testing.assert_array_equal(features.extract(pixels[one : one + 1])[0], whole[one])
    np.testing.assert_array_equal(features.extract(pixels[::-1])[::-1], whole)


def test_pixels_are_not_changed_and_answers_are_new_arrays(features: FeatureExtractor) -> None:
    pixels = _pixels(features, 3)
    before = pixels.copy()
    pixels.flags.writeable = False
    first = features.extract(pixels)
    kept = first.copy()
    features.extract(_pixels(features, 3, seed=5))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(pixels, before)


def test_rebuilt_from_json_settings_it_extracts_identically(features: FeatureExtractor) -> None:
    chosen = json.loads(json.dumps(features.settings()))
    again = features_from_settings(features.name, chosen)
    assert again.settings() == features.settings()
    assert (again.side, again.num_dims) == (features.side, features.num_dims)
    pixels = _pixels(features, 3)
    np.testing.assert_array_equal(again.extract(pixels), features.extract(pixels))


def test_settings_that_are_missing_or_unknown_are_named(features: FeatureExtractor) -> None:
    chosen = features.settings()
    for setting in chosen:
        fewer = {name: value for name, value in chosen.items() if name != setting}
        with pytest.raises(InvalidSetting, match=rf"{features.name}.{setting} = missing"):
            features_from_settings(features.name, fewer)
        with pytest.raises(InvalidSetting, match=rf"{features.name}.{setting}"):
            features_from_settings(features.name, {**chosen, setting: [1]})
    with pytest.raises(InvalidSetting, match=rf"{features.name}.colour = 1"):
        features_from_settings(features.name, {**chosen, "colour": 1})


def test_other_shapes_and_types_are_refused(features: FeatureExtractor) -> None:
    pixels = _pixels(features, 2)
    wrongs: tuple[np.ndarray, ...] = (pixels[0], pixels[:, 1:], pixels[..., :1], pixels.astype(np.float32))
    for wrong in (*wrongs, pixels.transpose(0, 3, 1, 2)):
        with pytest.raises(ShapeMismatch, match=rf"expected uint8 \(batch, {features.side}, {features.side}, 3\)"):
            features.extract(wrong)


@pytest.mark.parametrize("case", ["gray pixels", "hog 28", "gist"])
def test_other_processes_and_thread_counts_change_no_bit(case: str, build: Callable[[str], FeatureExtractor]) -> None:
    name, chosen = _PLAIN_CASES[case]
    features = build(case)
    pixels = np.random.default_rng(1).integers(0, 256, (9, features.side, features.side, 3), dtype=np.uint8)
    expected = hashlib.sha256(features.extract(pixels).tobytes()).hexdigest()
    for num_threads in ("1", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": num_threads, "OPENBLAS_NUM_THREADS": num_threads}
        command = [sys.executable, "-c", _DIGEST_IN_A_PROCESS, name, json.dumps(chosen)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
