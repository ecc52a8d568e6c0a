"""The features by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from operators.errors import InvalidSetting
from operators.features.backbone_features import BackboneFeatures
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.gist_features import GistFeatures
from operators.features.hog_features import HogFeatures
from operators.features.hog_pixel_features import HogPixelFeatures
from operators.features.pixel_features import PixelFeatures
from operators.features.setting_checks import require_arguments

_FEATURES: dict[str, type[FeatureExtractor]] = {
    features.name: features
    for features in (PixelFeatures, HogFeatures, HogPixelFeatures, GistFeatures, BackboneFeatures)
}


def feature_names() -> tuple[str, ...]:
    """Every name that `create_features` takes, sorted."""
    return tuple(sorted(_FEATURES))


def features_use_accelerator(name: str) -> bool:
    """Whether features of this name can compute on a GPU. Raises `InvalidSetting` for an unknown name."""
    return _features_class(name).uses_accelerator


def create_features(name: str, **settings: Any) -> FeatureExtractor:
    """New features; settings left out take their defaults. Raises `InvalidSetting`."""
    cls: Callable[..., FeatureExtractor] = _features_class(name)
    require_arguments(name, _features_class(name), settings)
    return cls(**settings)


def features_from_settings(
    name: str, settings: Mapping[str, Json], *, backbone_folder: str | None = None, device: str = "cpu"
) -> FeatureExtractor:
    """Features equal to those whose `settings()` these are. `backbone_folder` is the local copy of a backbone, if it is
    not at the place in its settings. `device` is for features with `uses_accelerator`; the others compute on the CPU
    whatever it is. Raises `InvalidSetting`."""
    cls = _features_class(name)
    if issubclass(cls, BackboneFeatures):
        return cls.from_settings(settings, local_folder=backbone_folder, device=device)
    return cls.from_settings(settings)


def _features_class(name: str) -> type[FeatureExtractor]:
    if name not in _FEATURES:
        raise InvalidSetting("features", repr(name), f"one of {', '.join(feature_names())}")
    return _FEATURES[name]
