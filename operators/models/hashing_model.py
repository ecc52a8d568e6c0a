"""`HashingModel`: features and a hasher, from pixels to binary codes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.feature_registry import features_from_settings
from operators.features.setting_checks import require_names, require_text
from operators.hashers.hasher import CodeKind, Hasher
from operators.hashers.hasher_registry import restore_hasher
from operators.hashers.quantizer import Quantizer
from operators.search.search_queries import SearchQueries

_FORMAT = 1


class HashingModel:
    """One encoder. `side` is the picture side in pixels, `num_bits` the width of its codes.

    `description()` and `tensors()` are the whole state; models with equal `fingerprint` give equal codes.
    """

    def __init__(self, features: FeatureExtractor, hasher: Hasher) -> None:
        self.features = features
        self.hasher = hasher

    @property
    def side(self) -> int:
        return self.features.side

    @property
    def num_bits(self) -> int:
        return self.hasher.num_bits

    @property
    def code_kind(self) -> CodeKind:
        return self.hasher.code_kind

    def encode_queries(self, pixels: NDArray[np.uint8]) -> SearchQueries:
        """What a search with these pictures needs: their codes, or lookup tables where codes are quantized.

        Raises what `encode_pixels` raises.
        """
        if isinstance(self.hasher, Quantizer):
            return self.hasher.lookup_tables(self.features.extract(pixels))
        return self.encode_pixels(pixels)

    def queries_of(self, codes: BinaryCodes) -> SearchQueries:
        """What a search with items needs of which only the code is known. Raises `NotFitted`, `ShapeMismatch`."""
        return self.hasher.lookup_tables_of(codes) if isinstance(self.hasher, Quantizer) else codes

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> BinaryCodes:
        """RGB uint8 `(batch, side, side, 3)` -> one code per picture; on the CPU the same in every batch.

        Raises `ShapeMismatch`, `NotFitted`, and `NonFiniteFeatures` with the rows whose features are NaN or infinite.
        """
        return self.hasher.encode(self.features.extract(pixels))

    def description(self) -> dict[str, Json]:
        """Plain JSON: the names and settings of the features and of the hasher."""
        return {
            "format": _FORMAT,
            "features": {"name": self.features.name, "settings": self.features.settings()},
            "hasher": {"method": self.hasher.method, "settings": self.hasher.settings()},
        }

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """The learned arrays by name. Raises `NotFitted`."""
        return self.hasher.tensors()

    @property
    def fingerprint(self) -> str:
        """sha256 (64 hex digits) of the description and of every tensor's name, dtype, shape and bytes.

        Where a backbone lies is left out: its weights count by the sha256 in its settings, wherever they are.
        """
        settings = self.features.settings()
        content: dict[str, Json] = {
            key: value for key, value in settings.items() if key not in self.features.location_settings
        }
        identity: dict[str, Json] = {
            **self.description(),
            "features": {"name": self.features.name, "settings": content},
        }
        canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
        digest = hashlib.sha256(canonical.encode())
        for name, tensor in sorted(self.tensors().items()):
            little_endian = np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<"))
            digest.update(f"\0{name}\0{little_endian.dtype.str}\0{little_endian.shape}\0".encode())
            digest.update(little_endian.tobytes())
        return digest.hexdigest()

    @classmethod
    def restore(
        cls,
        description: Mapping[str, Json],
        tensors: Mapping[str, NDArray[np.generic]],
        *,
        backbone_folder: str | None = None,
        device: str = "cpu",
    ) -> Self:
        """The model that `description()` and `tensors()` were taken from. `backbone_folder` is a local copy of its
        backbone, if that is not at the place in the description; `device` is where it computes.

        Raises `InvalidSetting` for a description that is not one, `ShapeMismatch` for tensors that do not fit.
        """
        require_names("model", description, {"format", "features", "hasher"})
        if description["format"] != _FORMAT:
            raise InvalidSetting("model.format", repr(description["format"]), f"{_FORMAT}; use a newer bitquarry")
        features = _section(description, "features", "name")
        hasher = _section(description, "hasher", "method")
        return cls(
            features_from_settings(*features, backbone_folder=backbone_folder, device=device),
            restore_hasher(*hasher, tensors),
        )


def _section(description: Mapping[str, Json], part: str, name_key: str) -> tuple[str, dict[str, Json]]:
    section = description[part]
    if not isinstance(section, dict):
        raise InvalidSetting(f"model.{part}", repr(section), f"an object with {name_key} and settings")
    require_names(f"model.{part}", section, {name_key, "settings"})
    settings = section["settings"]
    if not isinstance(settings, dict):
        raise InvalidSetting(f"model.{part}.settings", repr(settings), "an object")
    return require_text(f"model.{part}.{name_key}", section[name_key]), settings
