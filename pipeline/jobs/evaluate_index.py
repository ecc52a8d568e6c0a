"""Measure the retrieval quality of an index on its own labels: a seeded sample of its items looks for the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.decoders.image_decoder import DecodeLimits
from operators.features.feature_extractor import Json
from operators.hashers.quantizer import Quantizer
from operators.metrics.code_health import code_health
from operators.metrics.relevance import RelevanceRows
from pipeline.errors import ModelMismatch
from pipeline.evaluation.code_distances import CodeDistances, Ranking, code_distances, table_distances
from pipeline.evaluation.label_relevance import relevance_of
from pipeline.evaluation.labelled_codes import LabelledCodes
from pipeline.evaluation.neighbour_gallery import (
    GalleryRow,
    GallerySettings,
    GallerySide,
    neighbour_gallery,
    thumbnail_or_none,
)
from pipeline.evaluation.retrieval_measurement import MeasurementSettings, measure_retrieval
from pipeline.evaluation.retrieval_report import RetrievalReport, RunDescription, RunSeconds
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_rows import IndexRows
from pipeline.shard_index.shard_fetch import ShardFetcher
from pipeline.sources.media_fetch import fetch_media

FetchPicture = Callable[[str], bytes]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IndexSubject:
    """What is evaluated: its `name` ("index photos"), and the features and method of its model, for the report.

    `quantizer`: of an index of quantized codes, which are compared by what they stand for (symmetric distance): an
    index holds no features. `fetch(uri)` gives the bytes of a picture for the page; None makes a page without pictures.
    """

    name: str
    features: str
    method: str
    feature_settings: Mapping[str, Json] = field(default_factory=dict)
    method_settings: Mapping[str, Json] = field(default_factory=dict)
    quantizer: Quantizer | None = None
    fetch: FetchPicture | None = None

    @property
    def ranking(self) -> Ranking:
        return "hamming" if self.quantizer is None else "symmetric"

    def distances(self, queries: BinaryCodes, database: BinaryCodes) -> CodeDistances:
        if self.quantizer is None:
            return code_distances(queries, database, "hamming", 1)
        return table_distances(self.quantizer.lookup_tables_of(queries), database)


@dataclass(frozen=True, kw_only=True)
class IndexSampling:
    """How many items are queries, how many of those the page shows, and the seed of the sample and of ties."""

    max_queries: int = 1000
    seed: int = 0
    cutoffs: tuple[int, ...] = (10, 100, 1000)
    num_gallery_queries: int = 8


@dataclass(frozen=True, kw_only=True)
class IndexToEvaluate:
    """An index by name in a catalog; `alias` says which generation, `cache_dir` where shards of an `s3://` catalog
    go."""

    catalog: str
    index: str
    alias: str = "live"
    cache_dir: Path | None = None


def evaluate_index(asked: IndexToEvaluate, sampling: IndexSampling) -> RetrievalReport:
    """Evaluate a generation with all its labels and codes in memory.

    Raises `UnknownName`, `ModelMismatch`, `CorruptFile`, `StorageError`, and `UsageError` with counts when labels are
    missing.
    """
    store = open_store(asked.catalog)
    manifest = IndexCatalog(asked.catalog, store).resolve(asked.index, asked.alias)
    stored, model = ModelStore(asked.catalog, store).load(manifest.model_id)
    if stored.fingerprint != manifest.model_fingerprint:
        raise ModelMismatch(f"index {asked.index}", manifest.model_fingerprint, stored.fingerprint)
    fetcher = ShardFetcher(asked.catalog, store, asked.cache_dir)
    rows = IndexRows.open(manifest, fetcher)
    subject = IndexSubject(
        name=f"index {manifest.index}",
        features=model.features.name,
        feature_settings=model.features.settings(),
        method=model.hasher.method,
        method_settings=model.hasher.settings(),
        quantizer=model.hasher if isinstance(model.hasher, Quantizer) else None,
        fetch=lambda uri: fetch_media(uri, max_bytes=DecodeLimits().max_bytes),
    )
    return evaluate_codes(_labelled(rows), subject, sampling)


def _labelled(rows: IndexRows) -> LabelledCodes:
    return LabelledCodes(
        codes=rows.codes,
        ids=rows.ids,
        labels=rows.column("label").to_pylist(),
        keys=rows.column("key").to_pylist(),
        uris=rows.column("uri").to_pylist(),
    )


def evaluate_codes(labelled: LabelledCodes, subject: IndexSubject, sampling: IndexSampling) -> RetrievalReport:
    """Every query is an item of the index and is left out of its own ranking; relevant = same label.

    Items without a label are left out, and counted in the report. Raises `UsageError` for fewer than two labels.
    """
    num_items = len(labelled.codes)
    labelled = labelled.in_order_of_ids()
    if any(label is not None for label in labelled.labels):
        labelled = labelled.with_labels_only()
    labels = labelled.require_labels(subject.name)
    rows = labelled.sample_queries(sampling.max_queries, sampling.seed)
    started = time.perf_counter()
    distances = subject.distances(labelled.codes[rows], labelled.codes)
    relevance = relevance_of([labels[row] for row in rows.tolist()], labels)
    measured = MeasurementSettings(cutoffs=sampling.cutoffs, seed=sampling.seed)
    measurement = measure_retrieval(distances, relevance, measured, self_columns=rows)
    seconds = RunSeconds(rank_seconds=time.perf_counter() - started)
    _log.info("%s evaluated with %d queries: %s", subject.name, len(rows), seconds)
    return RetrievalReport(
        run=_describe(labelled, rows, subject, sampling, num_unlabelled=num_items - len(labelled.codes)),
        measurement=measurement,
        code_health=code_health(labelled.codes),
        seconds=seconds,
        gallery=_gallery(labelled, rows, (distances, relevance), subject.fetch, sampling),
    )


def _sample_in_words(num_queries: int, num_items: int) -> str:
    if num_queries == num_items:
        return f"each of its {num_items:,} items"
    return f"a seeded sample of {num_queries:,} of its {num_items:,} items"


def _describe(
    labelled: LabelledCodes,
    rows: NDArray[np.int64],
    subject: IndexSubject,
    sampling: IndexSampling,
    *,
    num_unlabelled: int,
) -> RunDescription:
    left_out = f"; left out: {num_unlabelled:,} items without a label" if num_unlabelled else ""
    return RunDescription(
        protocol=subject.name,
        protocol_summary=(
            f"queries: {_sample_in_words(len(rows), len(labelled.codes))}; "
            f"database: all the others; relevant: same label{left_out}"
        ),
        features=subject.features,
        feature_settings=subject.feature_settings,
        method=subject.method,
        method_settings=subject.method_settings,
        num_bits=labelled.codes.num_bits,
        num_tables=1,
        ranking=subject.ranking,
        seed=sampling.seed,
        num_database=len(labelled.codes),
        num_queries=len(rows),
        num_rejected=0,
    )


def _gallery(
    labelled: LabelledCodes,
    rows: NDArray[np.int64],
    ranking: tuple[CodeDistances, RelevanceRows],
    fetch: FetchPicture | None,
    sampling: IndexSampling,
) -> tuple[GalleryRow, ...]:
    if fetch is None:
        return ()
    uris = labelled.uris
    labels = [(label or "",) for label in labelled.labels]

    def thumbnail(row: int) -> bytes | None:
        return thumbnail_or_none(fetch, uris[row])

    queries = GallerySide(
        keys=[labelled.keys[row] for row in rows.tolist()],
        labels=[labels[row] for row in rows.tolist()],
        thumbnail=lambda query: thumbnail(int(rows[query])),
    )
    database = GallerySide(keys=labelled.keys, labels=labels, thumbnail=thumbnail)
    shown = GallerySettings(num_queries=sampling.num_gallery_queries, seed=sampling.seed)
    return neighbour_gallery(*ranking, (queries, database), shown, self_columns=rows)
