"""Features and models opened on this machine: what a backbone needs is brought here first."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operators.features.backbone_features import BackboneFeatures
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.feature_registry import create_features
from operators.features.setting_checks import require_text
from operators.models.hashing_model import HashingModel
from pipeline.errors import MissingExtra
from pipeline.model_store.backbone_cache import BackboneCache
from pipeline.object_store.uri_path import scheme_of


def open_features(name: str, settings: Mapping[str, Json], *, device: str = "cpu") -> FeatureExtractor:
    """New features, as `create_features` makes them. A backbone's `folder` may also be a URI or a .safetensors file; it
    computes on `device`.

    Their `settings()` keep that place (a path is made absolute), never the copy in the cache. Raises `InvalidSetting`,
    `MissingExtra`, and what `BackboneCache.local_folder` raises.
    """
    if name != BackboneFeatures.name or "folder" not in settings:
        return create_features(name, **settings)
    place = _portable(require_text("backbone.folder", settings["folder"]))
    local = _local_folder(place, settings.get("sha256"))
    return create_features(name, **{**settings, "folder": place, "local_folder": local, "device": device})


def restore_model(
    description: Mapping[str, Json], tensors: Mapping[str, NDArray[np.generic]], *, device: str
) -> HashingModel:
    """`HashingModel.restore`, with the backbone brought here. Raises what both raise, and `MissingExtra`."""
    features = description.get("features")
    local = None
    if isinstance(features, dict) and features.get("name") == BackboneFeatures.name:
        settings = features.get("settings")
        if isinstance(settings, dict) and isinstance(settings.get("folder"), str):
            local = _local_folder(str(settings["folder"]), settings.get("sha256"))
    return HashingModel.restore(description, tensors, backbone_folder=local, device=device)


def _local_folder(place: str, sha256: Json) -> str:
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtra("transformers", "backbones")
    digest = None if sha256 is None else require_text("backbone.sha256", sha256)
    return str(BackboneCache().local_folder(place, digest))


def _portable(place: str) -> str:
    """A path that means the same in every process; URIs do."""
    return place.rstrip("/") if scheme_of(place) else str(Path(place).expanduser().absolute())
