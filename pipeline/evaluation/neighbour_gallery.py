"""A few queries with their nearest neighbours, as pictures: what the numbers look like."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from operators.decoders.image_decoder import decode_thumbnail
from operators.errors import MediaTooLarge, UndecodableMedia
from operators.metrics.relevance import RelevanceRows
from pipeline.errors import PipelineError
from pipeline.evaluation.code_distances import CodeDistances

ReadPicture = Callable[[int], bytes]
_THUMBNAIL_SIDE = 96
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GalleryPicture:
    """One picture: thumbnail bytes (None when it cannot be read any more), its key and label for people.

    `distance` and `relevant` are None for the query itself.
    """

    thumbnail: bytes | None
    key: str
    label: str
    distance: float | None = None
    relevant: bool | None = None


@dataclass(frozen=True, kw_only=True)
class GalleryRow:
    """A query and its neighbours, nearest first."""

    query: GalleryPicture
    neighbours: tuple[GalleryPicture, ...]


@dataclass(frozen=True, kw_only=True)
class GallerySide:
    """Queries or database as a gallery shows them. `thumbnail(row)` gives the picture's bytes, or None."""

    keys: Sequence[str]
    labels: Sequence[tuple[str, ...]]
    thumbnail: Callable[[int], bytes | None]

    def picture(self, row: int, distance: float | None = None, relevant: bool | None = None) -> GalleryPicture:
        return GalleryPicture(
            thumbnail=self.thumbnail(row),
            key=self.keys[row],
            label=", ".join(self.labels[row]),
            distance=distance,
            relevant=relevant,
        )


@dataclass(frozen=True, kw_only=True)
class GallerySettings:
    """How many queries are shown, with how many neighbours each; `seed` chooses the queries."""

    num_queries: int = 8
    num_neighbours: int = 10
    seed: int = 0


def thumbnail_of(data: bytes) -> bytes:
    """A small JPEG or PNG. Raises `UndecodableMedia` and `MediaTooLarge`."""
    return decode_thumbnail(data, max_side=_THUMBNAIL_SIDE)


def thumbnail_or_none(
    fetch: Callable[[str], bytes], uri: str, *, on_failure: Callable[[str], object] = _log.warning
) -> bytes | None:
    """None for a picture that cannot be read: it has gone since it was encoded, and pictures only illustrate. What is
    wrong with it goes to `on_failure`."""
    try:
        return thumbnail_of(fetch(uri))
    except (PipelineError, OSError, UndecodableMedia, MediaTooLarge) as error:
        reason = str(error)
        on_failure(reason if uri in reason else f"{uri}: {reason}")
        return None


def neighbour_gallery(
    distances: CodeDistances,
    relevant: RelevanceRows,
    sides: tuple[GallerySide, GallerySide],
    settings: GallerySettings,
    *,
    self_columns: NDArray[np.int64] | None = None,
) -> tuple[GalleryRow, ...]:
    """Rows for a seeded choice of queries, spread over labels. `sides`: queries and database.

    Neighbours follow the product's tie rule (distance, then position); `self_columns` as in `measure_retrieval`.
    """
    queries, database = sides
    rows = []
    for query in _spread_over_labels(queries.labels, settings):
        block = slice(query, query + 1)
        row, hits = distances.rows(block)[0], relevant(block)[0]
        order = np.argsort(row, kind="stable")
        if self_columns is not None:
            order = order[order != self_columns[query]]
        nearest = order[: settings.num_neighbours].tolist()
        neighbours = tuple(database.picture(item, row[item].item(), bool(hits[item])) for item in nearest)
        rows.append(GalleryRow(query=queries.picture(query), neighbours=neighbours))
    return tuple(rows)


def _spread_over_labels(labels: Sequence[tuple[str, ...]], settings: GallerySettings) -> list[int]:
    """In seeded order, first one query of each label, then the rest."""
    order = np.random.default_rng(settings.seed).permutation(len(labels)).tolist()
    first_of_label: dict[tuple[str, ...], int] = {}
    for query in order:
        first_of_label.setdefault(labels[query], query)
    firsts = list(first_of_label.values())
    others = [query for query in order if first_of_label[labels[query]] != query]
    return (firsts + others)[: settings.num_queries]
