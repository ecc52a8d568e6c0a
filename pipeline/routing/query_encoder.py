"""`QueryEncoder`: query pictures to what a search takes, by the model that the index was made with and no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.decoders.image_decoder import DecodeLimits, decode_image
from operators.errors import MediaTooLarge, NonFiniteFeatures, UndecodableMedia
from operators.models.hashing_model import HashingModel
from operators.search.search_queries import SearchQueries
from pipeline.errors import ModelMismatch
from pipeline.shard_index.index_manifest import IndexManifest


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedImages:
    """`queries[i]` is that of picture `rows[i]`; `rejects`: picture -> why it has none. Every picture is in one."""

    queries: SearchQueries
    rows: NDArray[np.intp]
    rejects: dict[int, str]


class QueryEncoder:
    """Decodes as the encode job does, so that an indexed picture gets the code it has in the index.

    Raises `ModelMismatch` for a model with another fingerprint than the index's.
    """

    def __init__(self, model: HashingModel, manifest: IndexManifest, limits: DecodeLimits) -> None:
        if model.fingerprint != manifest.model_fingerprint:
            raise ModelMismatch(f"index {manifest.index}", manifest.model_fingerprint, model.fingerprint)
        self._model = model
        self._limits = limits

    def encode_image(self, image: bytes) -> SearchQueries:
        """The query of one encoded picture (JPEG, PNG, …): its code, or its lookup tables where the index is quantized.

        Raises `UndecodableMedia`, `MediaTooLarge` and `NonFiniteFeatures`."""
        return self.encode_pixels(self.decode(image))

    def decode(self, image: bytes) -> NDArray[np.uint8]:
        """Pixels as the model takes them, uint8 `(side, side, 3)`. Raises `UndecodableMedia`, `MediaTooLarge`."""
        return decode_image(image, side=self._model.side, limits=self._limits).pixels

    def encode_pixels(self, pixels: NDArray[np.uint8]) -> SearchQueries:
        """The query of one decoded picture. Raises `NonFiniteFeatures`."""
        return self._model.encode_queries(pixels[None])

    def queries_of(self, codes: BinaryCodes) -> SearchQueries:
        """The queries of items of which only the codes are known. Raises `ShapeMismatch` for another width."""
        return self._model.queries_of(codes)

    def encode_images(self, images: Sequence[bytes | None]) -> EncodedImages:
        """The queries of all pictures that can be encoded; None counts as a picture that is missing."""
        pixels: dict[int, NDArray[np.uint8]] = {}
        rejects: dict[int, str] = {}
        for row, image in enumerate(images):
            try:
                if image is None:
                    rejects[row] = "no picture given"
                else:
                    pixels[row] = self.decode(image)
            except (UndecodableMedia, MediaTooLarge) as error:
                rejects[row] = str(error)
        queries = self._encode_finite(pixels, rejects)
        return EncodedImages(queries=queries, rows=np.array(list(pixels), np.intp), rejects=rejects)

    def _encode_finite(self, pixels: dict[int, NDArray[np.uint8]], rejects: dict[int, str]) -> SearchQueries:
        """Encode `pixels`; pictures without finite features move to `rejects`."""
        while pixels:
            try:
                return self._model.encode_queries(np.stack(list(pixels.values())))
            except NonFiniteFeatures as error:
                rows = list(pixels)
                for place in error.rows:
                    del pixels[rows[place]]
                    rejects[rows[place]] = "its features hold NaN or infinity"
        return self._model.queries_of(BinaryCodes.from_bits(np.zeros((0, self._model.num_bits), bool)))
