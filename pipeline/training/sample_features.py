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
    """`features` float32 `(num_items, num_dims)`. For row i: `keys[i]`, its name in the source; `labels[i]`, its class,
    if the source knows one; `picture_sha256[i]`, 32 bytes. `num_skipped` sampled items gave no picture."""

    features: NDArray[np.float32]
    keys: tuple[str, ...]
    labels: tuple[str | None, ...]
    picture_sha256: tuple[bytes, ...]
    num_skipped: int

    @property
    def data_sha256(self) -> str:
        """Digest of the pictures' digests, in order, as hex."""
        return hashlib.sha256(b"".join(self.picture_sha256)).hexdigest()

    @property
    def num_unlabelled(self) -> int:
        return sum(label is None for label in self.labels)

    def class_numbers(self) -> NDArray[np.int64] | None:
        """0, 1, … by sorted class name, int64 `(num_items,)`; None unless every item has a label."""
        if self.num_unlabelled:
            return None
        return np.unique(np.array(self.labels, dtype=str), return_inverse=True)[1].astype(np.int64)


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
    if not gathered.keys:
        raise EmptySource(
            f"no picture to train on: {gathered.num_skipped} sampled items could not be read or decoded; "
            "see what the source holds with `bitquarry plan`"
        )
    return SampledFeatures(
        features=np.concatenate(gathered.blocks),
        keys=tuple(gathered.keys),
        labels=tuple(gathered.labels),
        picture_sha256=tuple(gathered.digests),
        num_skipped=gathered.num_skipped,
    )


@dataclass(kw_only=True)
class _Gathered:
    blocks: list[NDArray[np.float32]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    num_skipped: int = 0


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
        gathered.keys.append(item.key)
        gathered.labels.append(item.label)
        gathered.digests.append(hashlib.sha256(item.data).digest())


def _pixels(item: FetchedItem | FailedItem, side: int, limits: DecodeLimits) -> NDArray[np.uint8] | None:
    if isinstance(item, FailedItem):
        return None
    try:
        return decode_image(item.data, side=side, limits=limits).pixels
    except (MediaTooLarge, UndecodableMedia):
        return None
