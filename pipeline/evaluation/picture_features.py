"""Pictures of a protocol to features, in blocks; pictures that cannot be decoded are left out and counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.decoders.image_decoder import decode_image
from operators.errors import MediaTooLarge, UndecodableMedia
from operators.features.feature_extractor import FeatureExtractor
from pipeline.errors import UsageError
from pipeline.evaluation.labelled_pictures import LabelledPictures

_BLOCK_PICTURES = 512
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PictureFeatures:
    """`features` float32 `(num_kept, num_dims)` of `pictures`, which are the readable ones of those given."""

    pictures: LabelledPictures
    features: NDArray[np.float32]
    num_rejected: int
    seconds: float


def extract_features(pictures: LabelledPictures, extractor: FeatureExtractor) -> PictureFeatures:
    """Raises `UsageError` when not one picture can be decoded."""
    started = time.perf_counter()
    kept: list[int] = []
    parts = [np.empty((0, extractor.num_dims), np.float32)]
    for rows, pixels in _decoded_blocks(pictures, extractor.side):
        kept += rows
        parts.append(extractor.extract(pixels))
    if not kept:
        raise UsageError(
            f"none of {len(pictures)} pictures can be decoded (the first is {next(iter(pictures.keys), '-')})"
        )
    num_rejected = len(pictures) - len(kept)
    if num_rejected:
        _log.warning("left out %d of %d pictures that cannot be decoded", num_rejected, len(pictures))
    return PictureFeatures(
        pictures=pictures.select(np.array(kept)) if num_rejected else pictures,
        features=np.concatenate(parts),
        num_rejected=num_rejected,
        seconds=time.perf_counter() - started,
    )


def _decoded_blocks(pictures: LabelledPictures, side: int) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    for start in range(0, len(pictures), _BLOCK_PICTURES):
        rows: list[int] = []
        pixels: list[NDArray[np.uint8]] = []
        for row in range(start, min(start + _BLOCK_PICTURES, len(pictures))):
            try:
                pixels.append(decode_image(pictures.read(row), side=side).pixels)
            except (UndecodableMedia, MediaTooLarge) as error:
                _log.info("%s: %s", pictures.keys[row], error)
            else:
                rows.append(row)
        if rows:
            yield rows, np.stack(pixels)
