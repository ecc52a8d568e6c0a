"""The job behind `bitquarry dedup`: near duplicates of an index, in clusters, with one of each to keep."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from operators.search.merge_near_pairs import merge_near_pairs
from operators.search.near_duplicate_clusters import (
    connected_clusters,
    distances_to,
    keep_one,
    nearest_in_other,
    star_clusters,
)
from operators.search.near_pairs import NearPairs, check_radius, first_items, near_pairs, near_pairs_between
from pipeline.errors import ModelMismatch, StorageError, UsageError
from pipeline.evaluation.duplicate_review import DuplicateReview, render_duplicate_review
from pipeline.jobs.review_duplicates import ReviewSample, reviewed_clusters
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.shard_index.duplicate_files import (
    CLUSTERS_NAME,
    PAIRS_NAME,
    DuplicateClusters,
    write_clusters,
    write_pairs,
)
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.index_rows import IndexRows
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.shard_index.shard_join import ShardJoin

ClusterKind = Literal["star", "components"]
REVIEW_NAME = "review.html"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DedupSettings:
    """`keep`: "first" (lowest id), "largest" (most pixels), or a numeric column, of which the highest value stays.

    `against`: another index; then its items stay, and those of `index` go that are near one of them. 0 searchers: this
    process joins; more: so many Ray tasks at a time join two shards each. `seed` draws the clusters to review.
    `output`: a folder, or an `s3://` prefix.
    """

    catalog: str
    index: str
    output: str
    radius: int = 3
    clusters: ClusterKind = "star"
    keep: str = "first"
    against: str | None = None
    alias: str = "live"
    num_searchers: int = 0
    cache_dir: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises `UsageError` for clusters of another kind, and where `against` is the index itself or leaves nothing
        to choose."""
        if self.clusters not in get_args(ClusterKind):
            raise UsageError(f"clusters = {self.clusters!r}: expected {' or '.join(get_args(ClusterKind))}")
        if self.against == self.index:
            raise UsageError(
                f"against = {self.against}: the index itself, of which every item would go; leave it out to find near "
                "duplicates within the index"
            )
        if self.against is not None and (self.clusters, self.keep) != ("star", "first"):
            raise UsageError(
                f"clusters = {self.clusters}, keep = {self.keep}: against another index each item belongs to its "
                f"nearest there, which stays; leave both out, or leave out against = {self.against}"
            )


@dataclass(frozen=True, kw_only=True)
class DedupReport:
    """`num_pairs`: rows of `pairs.parquet`; `num_item_pairs`: pairs of items within the radius, where n items with one
    code make n (n - 1) / 2. `num_clusters` counts those of two items or more; `num_removed` items are not kept."""

    index: str
    generation: str
    against: str | None
    against_generation: str | None
    radius: int
    num_items: int
    num_pairs: int
    num_item_pairs: int
    num_clusters: int
    num_kept: int
    num_removed: int
    seconds: float


def dedup_collection(settings: DedupSettings) -> DedupReport:
    """Join, cluster, and write `pairs.parquet`, `clusters.parquet` and `review.html`, all of them or none.

    Codes and ids of the index are held in memory, and 40 bytes a pair. Raises `UnknownName`, `UsageError` (quantized
    codes, two widths, an unknown column), `InvalidSetting` (radius), `ModelMismatch`, `CorruptFile`, `StorageError`.
    """
    started = time.perf_counter()
    rows, others = _open(settings)
    scores = _scores(rows, settings.keep)
    pairs = _join_shards(settings, rows, others) if settings.num_searchers else _join_here(settings, rows, others)
    clusters = _clusters(settings, pairs, rows, scores)
    linked = pairs.linked()
    _log.info("index %s: %d pairs after %.1f s", settings.index, len(linked[0]), time.perf_counter() - started)
    report = DedupReport(
        index=rows.manifest.index,
        generation=rows.manifest.generation,
        against=None if others is rows else others.manifest.index,
        against_generation=None if others is rows else others.manifest.generation,
        radius=settings.radius,
        num_items=len(rows.ids),
        num_pairs=len(linked[0]),
        num_item_pairs=pairs.num_item_pairs,
        num_clusters=len(clusters.by_size()[0]),
        num_kept=int(clusters.kept.sum()),
        num_removed=int((~clusters.kept).sum()),
        seconds=time.perf_counter() - started,
    )
    with _whole_folder(settings.output) as folder:
        write_pairs(folder / PAIRS_NAME, linked, rows, others)
        write_clusters(folder / CLUSTERS_NAME, clusters, rows, others)
        (folder / REVIEW_NAME).write_text(_review_page(settings, report, clusters, rows, others), encoding="utf-8")
    return report


def _open(settings: DedupSettings) -> tuple[IndexRows, IndexRows]:
    """The rows that are looked at and those they are compared with (the same object for one index), checked."""
    store = open_store(settings.catalog)
    catalog = IndexCatalog(settings.catalog, store)
    manifest = _binary(catalog.resolve(settings.index, settings.alias))
    check_radius(settings.radius, manifest.num_bits)
    fetcher = ShardFetcher(settings.catalog, store, settings.cache_dir)
    if settings.against is None:
        rows = IndexRows.open(manifest, fetcher)
        return rows, rows
    other = _binary(catalog.resolve(settings.against, settings.alias))
    if other.num_bits != manifest.num_bits:
        raise UsageError(
            f"codes of index {other.index} have {other.num_bits} bits, those of index {manifest.index} "
            f"{manifest.num_bits} bits; compare indexes of one model"
        )
    if other.model_fingerprint != manifest.model_fingerprint:
        raise ModelMismatch(f"index {other.index}", other.model_fingerprint, manifest.model_fingerprint)
    return IndexRows.open(manifest, fetcher), IndexRows.open(other, fetcher)


def _binary(manifest: IndexManifest) -> IndexManifest:
    if manifest.code_kind != "binary":
        raise UsageError(
            f"codes of index {manifest.index} are {manifest.code_kind}: their distances do not count bits, so there is "
            "no radius to join them by; dedup an index of binary codes"
        )
    return manifest


def _scores(rows: IndexRows, keep: str) -> NDArray[np.float64] | None:
    if keep == "first":
        return None
    return rows.numbers("width") * rows.numbers("height") if keep == "largest" else rows.numbers(keep)


def _join_here(settings: DedupSettings, rows: IndexRows, others: IndexRows) -> NearPairs:
    num_threads = os.cpu_count() or 1
    if others is rows:
        return near_pairs(rows.codes, radius=settings.radius, num_threads=num_threads)
    return near_pairs_between(rows.codes, others.codes, radius=settings.radius, num_threads=num_threads)


def _join_shards(settings: DedupSettings, rows: IndexRows, others: IndexRows) -> NearPairs:
    # Importing Ray takes longer than most joins.
    from pipeline.actors.join_task import joined_shards

    names = [shard.name for shard in rows.manifest.shards]
    other_names = [shard.name for shard in others.manifest.shards]
    both = combinations_with_replacement(names, 2) if others is rows else product(names, other_names)
    tasks = [
        ShardJoin(
            catalog=settings.catalog,
            left=rows.manifest,
            left_shard=left,
            right=others.manifest,
            right_shard=right,
            radius=settings.radius,
            cache_dir=settings.cache_dir,
        )
        for left, right in both
    ]
    parts = [
        (rows.rows_at(left), others.rows_at(right), distances)
        for left, right, distances in joined_shards(tasks, num_at_once=settings.num_searchers)
    ]
    return merge_near_pairs(parts, first_items(rows.codes), None if others is rows else first_items(others.codes))


def _clusters(
    settings: DedupSettings, pairs: NearPairs, rows: IndexRows, scores: NDArray[np.float64] | None
) -> DuplicateClusters:
    if pairs.first_right is not None:
        centres, distances = nearest_in_other(pairs)
        return DuplicateClusters(centres=centres, distances=distances, kept=centres < 0)
    centres = star_clusters(pairs) if settings.clusters == "star" else connected_clusters(pairs)
    sizes = np.bincount(centres, minlength=len(centres))
    return DuplicateClusters(
        centres=np.where(sizes[centres] > 1, centres, -1),
        distances=distances_to(rows.codes, centres),
        kept=keep_one(centres, scores),
    )


def _review_page(
    settings: DedupSettings, report: DedupReport, clusters: DuplicateClusters, rows: IndexRows, others: IndexRows
) -> str:
    compared = f" that are near an item of index {report.against}" if report.against else ""
    grouped = (
        "the nearest item there stays" if report.against else f"clusters: {settings.clusters}, keep: {settings.keep}"
    )
    figures = {
        "items": report.num_items,
        "pairs of items within the radius": report.num_item_pairs,
        "clusters": report.num_clusters,
        "items that stay": report.num_kept,
        "items that go": report.num_removed,
    }
    largest, sample = reviewed_clusters(clusters, rows, others, ReviewSample(seed=settings.seed))
    return render_duplicate_review(
        DuplicateReview(
            title=f"Near duplicates in index {report.index}",
            summary=f"Generation {report.generation}: items{compared} within {report.radius} of "
            f"{rows.manifest.num_bits} bits; {grouped}.",
            figures={name: f"{value:,}" for name, value in figures.items()},
            largest=largest,
            sample=sample,
        )
    )


@contextmanager
def _whole_folder(uri: str) -> Iterator[Path]:
    """A temporary folder, whose files become those at `uri` when the block ends well."""
    home = None if scheme_of(uri) else Path(uri)
    try:
        if home is not None:
            home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{uri}: {error.strerror}; give a folder for the output") from None
    with tempfile.TemporaryDirectory(prefix=".bitquarry-partial-", dir=home) as temporary:
        yield Path(temporary)
        for file in sorted(Path(temporary).iterdir()):
            if home is not None:
                file.replace(home / file.name)
            else:
                open_store(uri).write(join_uri(uri, file.name), file.read_bytes())
