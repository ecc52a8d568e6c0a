"""`QueryEncoder`: query pictures to codes, by the model that the index was made with and no other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.decoders.image_decoder import DecodeLimits, decode_image
from operators.models.hashing_model import HashingModel
from pipeline.errors import ModelMismatch
from pipeline.shard_index.index_manifest import IndexManifest


class QueryEncoder:
    """Decodes as the encode job does, so that an indexed picture gets the code it has in the index.

    Raises `ModelMismatch` for a model with another fingerprint than the index's.
    """

    def __init__(self, model: HashingModel, manifest: IndexManifest, limits: DecodeLimits) -> None:
        if model.fingerprint != manifest.model_fingerprint:
            raise ModelMismatch(f"index {manifest.index}", manifest.model_fingerprint, model.fingerprint)
        self._model = model
        self._limits = limits

    def encode_images(self, images: Sequence[bytes]) -> BinaryCodes:
        """One code per encoded picture (JPEG, PNG, …), at least one. Raises `UndecodableMedia`, `MediaTooLarge` and
        `NonFiniteFeatures`."""
        side = self._model.side
        pixels = [decode_image(image, side=side, limits=self._limits).pixels for image in images]
        return self._model.encode_pixels(np.stack(pixels))
