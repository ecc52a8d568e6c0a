"""Clusters of near duplicates as pictures: the largest ones and a sample of the others."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from operators.decoders.image_decoder import DecodeLimits
from pipeline.evaluation.duplicate_review import ReviewedCluster
from pipeline.evaluation.neighbour_gallery import GalleryPicture, thumbnail_or_none
from pipeline.shard_index.duplicate_files import DuplicateClusters
from pipeline.shard_index.index_rows import IndexRows
from pipeline.sources.media_fetch import fetch_media

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReviewSample:
    """How many clusters are shown, and how many items of each that go; `seed` draws the sample."""

    num_largest: int = 8
    num_sampled: int = 12
    num_items: int = 10
    seed: int = 0


class Reviewed(NamedTuple):
    """The largest clusters, and a seeded sample of the others."""

    largest: list[ReviewedCluster]
    sample: list[ReviewedCluster]


@dataclass(frozen=True)
class _Side:
    """An index as the page shows it; what is wrong with pictures is added to `failures`."""

    rows: IndexRows
    failures: list[str]

    def pictures(self, shown: list[int], distances: list[int] | None = None) -> list[GalleryPicture]:
        """With distances: those of items that go."""
        keys, uris = self.rows.values("key", shown), self.rows.values("uri", shown)
        return [
            GalleryPicture(
                thumbnail=thumbnail_or_none(_fetch, str(uri), on_failure=self.failures.append),
                key=str(key),
                label=str(key),
                distance=distances[place] if distances else None,
                relevant=False if distances else None,
            )
            for place, (key, uri) in enumerate(zip(keys, uris, strict=True))
        ]


def reviewed_clusters(
    clusters: DuplicateClusters, rows: IndexRows, centre_rows: IndexRows, sample: ReviewSample
) -> Reviewed:
    """Reads the shown pictures from where the index says they are; one that cannot be read is shown as its key."""
    centres, _ = clusters.by_size()
    largest, others = centres[: sample.num_largest], centres[sample.num_largest :]
    chosen = np.random.default_rng(sample.seed).permutation(len(others))[: sample.num_sampled]
    sampled = others[np.sort(chosen)]
    failures: list[str] = []
    sides = _Side(rows, failures), _Side(centre_rows, failures)
    members = _members(clusters, np.concatenate([largest, sampled]))
    shown = [_reviewed(clusters, sides, centre, members[centre], sample) for centre in members]
    if failures:
        _log.warning("%d pictures for the page cannot be read; the first: %s", len(failures), failures[0])
    return Reviewed(shown[: len(largest)], shown[len(largest) :])


def _members(clusters: DuplicateClusters, centres: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """The rows of each of these clusters, in the order of the centres."""
    found = np.flatnonzero(np.isin(clusters.centres, centres))
    return {centre: found[clusters.centres[found] == centre] for centre in centres.tolist()}


def _reviewed(
    clusters: DuplicateClusters,
    sides: tuple[_Side, _Side],
    centre: int,
    members: NDArray[np.int64],
    sample: ReviewSample,
) -> ReviewedCluster:
    side, centre_side = sides
    kept, goes = members[clusters.kept[members]], members[~clusters.kept[members]]
    goes = goes[np.lexsort((goes, clusters.distances[goes]))]
    shown = goes[: sample.num_items].tolist()
    stays = side.pictures(kept.tolist()) if len(kept) else centre_side.pictures([centre])
    return ReviewedCluster(
        stays=stays[0],
        goes=tuple(side.pictures(shown, clusters.distances[shown].tolist())),
        num_not_shown=len(goes) - len(shown),
    )


def _fetch(uri: str) -> bytes:
    return fetch_media(uri, max_bytes=DecodeLimits().max_bytes)
