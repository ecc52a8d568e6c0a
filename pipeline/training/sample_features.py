"""A seeded sample of a source to a feature matrix: what a hasher is fitted on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from operators.decoders.image_decoder import DecodeLimits, decode_image
from operators.errors import MediaTooLarge, UndecodableMedia
from operators.features.feature_extractor import FeatureExtractor
from pipeline.errors import EmptySource
from pipeline.records import FailedItem, FetchedItem

_BATCH_ITEMS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledFeatures:
    """`features` float32 `(num_items, num_dims)`; `labels[i]` is the class of row i, if its source knows one;
    `num_skipped` sampled items gave no picture; `data_sha256` is the digest of the pictures' bytes, in order."""

    features: NDArray[np.float32]
    labels: tuple[str | None, ...]
    num_skipped: int
    data_sha256: str


def sample_features(
    items: Iterable[FetchedItem | FailedItem],
    extractor: FeatureExtractor,
    *,
    limits: DecodeLimits,
    num_threads: int,
) -> SampledFeatures:
    """Decode and featurize the items, in their order. Rows with NaN or infinity are skipped and counted.

    Decoding runs on `num_threads` threads (Pillow releases the GIL). Raises `EmptySource` when no item gives a picture.
    """
    gathered = _Gathered()
    remaining = iter(items)
    with ThreadPoolExecutor(num_threads) as threads:
        while batch := list(islice(remaining, _BATCH_ITEMS)):
            decoded = list(threads.map(lambda item: _pixels(item, extractor.side, limits), batch))
            _gather(gathered, batch, decoded, extractor)
    if not gathered.labels:
        raise EmptySource(
            f"no picture to train on: {gathered.num_skipped} sampled items could not be read or decoded; "
            "see what the source holds with `bitquarry plan`"
        )
    return SampledFeatures(
        features=np.concatenate(gathered.blocks),
        labels=tuple(gathered.labels),
        num_skipped=gathered.num_skipped,
        data_sha256=gathered.digest.hexdigest(),
    )


@dataclass(kw_only=True)
class _Gathered:
    blocks: list[NDArray[np.float32]] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    num_skipped: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


def _gather(
    gathered: _Gathered,
    batch: list[FetchedItem | FailedItem],
    decoded: list[NDArray[np.uint8] | None],
    extractor: FeatureExtractor,
) -> None:
    """Add the features, labels and digests of one batch; count what gave no finite row."""
    pictures = [
        (item, pixels)
        for item, pixels in zip(batch, decoded, strict=True)
        if pixels is not None and isinstance(item, FetchedItem)
    ]
    gathered.num_skipped += len(batch) - len(pictures)
    if not pictures:
        return
    block = extractor.extract(np.stack([pixels for _, pixels in pictures]))
    finite = np.isfinite(block).all(axis=1)
    gathered.num_skipped += int((~finite).sum())
    gathered.blocks.append(block[finite])
    for position in np.flatnonzero(finite):
        item, _ = pictures[position]
        gathered.digest.update(hashlib.sha256(item.data).digest())
        gathered.labels.append(item.label)


def _pixels(item: FetchedItem | FailedItem, side: int, limits: DecodeLimits) -> NDArray[np.uint8] | None:
    if isinstance(item, FailedItem):
        return None
    try:
        return decode_image(item.data, side=side, limits=limits).pixels
    except (MediaTooLarge, UndecodableMedia):
        return None
