"""`BackboneFeatures`: the pooled output of a pretrained vision model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from operators.errors import InvalidSetting
from operators.features.backbone_folder import backbone_sha256
from operators.features.backbone_network import POOLINGS, BackboneNetwork
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.features.setting_checks import require_choice, require_int, require_names, require_text


class BackboneFeatures(FeatureExtractor):
    """A `transformers` folder (config.json, preprocessor_config.json, *.safetensors), run by torch.

    Never downloads, never runs code from the folder, never reads pickles. `side` defaults to the processor's.
    `sha256` is that of `backbone_sha256`; when given, a folder with another content is refused. `folder` is the place
    that the settings keep, a path or a URI; the caller who fetched or found a copy names it in `local_folder`, which is
    read instead. `device` ("cpu", "cuda", "cuda:1") is where to compute. Neither of the two is part of the settings.
    On the CPU, neither batches nor the number of threads change a bit. Raises `InvalidSetting`.
    """

    name: ClassVar[str] = "backbone"
    uses_accelerator: ClassVar[bool] = True
    location_settings: ClassVar[frozenset[str]] = frozenset({"folder"})

    def __init__(
        self,
        *,
        folder: str,
        pooling: str = "pooler",
        side: int | None = None,
        sha256: str | None = None,
        local_folder: str | None = None,
        device: str = "cpu",
    ) -> None:
        self._folder = require_text("backbone.folder", folder)
        self._pooling = require_choice("backbone.pooling", pooling, POOLINGS)
        read_from = folder if local_folder is None else local_folder
        self._sha256 = backbone_sha256(read_from)
        if sha256 not in (None, self._sha256):
            expected = f"the weights the model was made with (sha256 {sha256}, not {self._sha256})"
            raise InvalidSetting("backbone.folder", read_from, expected)
        self._network = BackboneNetwork(read_from, pooling=pooling, device=device)
        chosen_side = self._network.default_side if side is None else side
        self._side = require_int("backbone.side", chosen_side, minimum=8, maximum=2048)
        self._num_dims = self._network.num_dims(self._side)

    @property
    def side(self) -> int:
        return self._side

    @property
    def num_dims(self) -> int:
        return self._num_dims

    def settings(self) -> dict[str, Json]:
        return {"folder": self._folder, "pooling": self._pooling, "side": self._side, "sha256": self._sha256}

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Json], *, local_folder: str | None = None, device: str = "cpu"
    ) -> Self:
        require_names(cls.name, settings, {"folder", "pooling", "side", "sha256"})
        return cls(
            folder=require_text("backbone.folder", settings["folder"]),
            pooling=require_choice("backbone.pooling", settings["pooling"], POOLINGS),
            side=require_int("backbone.side", settings["side"], minimum=8, maximum=2048),
            sha256=require_text("backbone.sha256", settings["sha256"]),
            local_folder=local_folder,
            device=device,
        )

    def extract(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.check_pixels(pixels)
        if len(pixels) == 0:
            return np.empty((0, self._num_dims), dtype=np.float32)
        return self._network.forward(pixels)
