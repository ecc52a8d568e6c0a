"""Measure the retrieval quality of methods on a protocol: load, features, fit, encode, rank, metrics. In this
process."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.features.feature_extractor import FeatureExtractor, Json
from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import create_hasher
from operators.hashers.quantizer import Quantizer
from operators.metrics.code_health import code_health
from operators.metrics.relevance import RelevanceRows
from pipeline.errors import UsageError
from pipeline.evaluation.code_distances import (
    CodeDistances,
    Ranking,
    RerankedSide,
    code_distances,
    reranked_distances,
    table_distances,
)
from pipeline.evaluation.label_relevance import label_names, label_numbers, relevance_of
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.neighbour_gallery import (
    GalleryRow,
    GallerySettings,
    GallerySide,
    neighbour_gallery,
    thumbnail_of,
)
from pipeline.evaluation.picture_features import extract_features
from pipeline.evaluation.protocol_registry import create_protocol
from pipeline.evaluation.retrieval_measurement import MeasurementSettings, measure_retrieval
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol
from pipeline.evaluation.retrieval_report import DatabaseCodes, RetrievalReport, RunDescription, RunSeconds
from pipeline.model_store.feature_opening import open_features

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MethodRun:
    """One method to evaluate. `num_bits` counts bits per table; `settings` go to the hasher (`center` of lsh, …).

    `ranking` defaults to `hamming` for one table, `collisions` for several, and `asymmetric` for quantized codes.
    `database`: its codes are "encoded" as any others are, or "learned": those the method found for its training items.
    """

    method: str
    num_bits: int
    num_tables: int = 1
    ranking: Ranking | None = None
    settings: Mapping[str, Json] = field(default_factory=dict)
    database: DatabaseCodes = "encoded"

    def ranking_of(self, hasher: Hasher) -> Ranking:
        """The ranking asked for, or the default. Raises `UsageError` for one that the kind of codes does not have."""
        quantized = hasher.code_kind == "quantized"
        default: Ranking = "asymmetric" if quantized else "hamming" if self.num_tables == 1 else "collisions"
        chosen = self.ranking or default
        if quantized != (chosen in ("asymmetric", "symmetric")):
            raise UsageError(f"ranking {chosen} does not go with the {hasher.code_kind} codes of {self.method}")
        return chosen

    def hasher(self, seed: int) -> Hasher:
        """Raises `InvalidSetting` for an unknown method or setting (several tables are a setting of lsh)."""
        tables = {"num_tables": self.num_tables} if self.num_tables != 1 else {}
        return create_hasher(self.method, num_bits=self.num_bits, seed=seed, **tables, **self.settings)


@dataclass(frozen=True, kw_only=True)
class EvaluateProtocolSettings:
    """`data_dir`: where the pictures are (None: the protocol's own place). `max_queries`: a seeded sample of the
    queries.

    `seed` draws splits, samples, methods and the order of ties. Features are computed once for all `runs`. `headline`:
    as in `MeasurementSettings`.
    """

    protocol: str
    features: str
    runs: tuple[MethodRun, ...]
    feature_settings: Mapping[str, Json] = field(default_factory=dict)
    data_dir: str | None = None
    seed: int = 0
    max_queries: int | None = None
    headline: bool = False
    cutoffs: tuple[int, ...] = (10, 100, 1000)
    num_gallery_queries: int = 8


def evaluate_protocol(settings: EvaluateProtocolSettings) -> list[RetrievalReport]:
    """One report per run, in order. Raises `UnknownName`, `UsageError` and `InvalidSetting` before the long work where
    possible."""
    if not settings.runs or (settings.max_queries is not None and settings.max_queries < 1):
        raise UsageError("evaluate needs at least one method and at least one query")
    protocol = create_protocol(settings.protocol, data_dir=settings.data_dir, seed=settings.seed)
    extractor_settings = {**protocol.feature_settings(settings.features), **settings.feature_settings}
    extractor = open_features(settings.features, extractor_settings)
    hashers = [run.hasher(settings.seed) for run in settings.runs]
    for run, hasher in zip(settings.runs, hashers, strict=True):
        run.ranking_of(hasher)
    data = protocol.load()
    if settings.max_queries is not None:
        data = data.with_fewer_queries(settings.max_queries, settings.seed)
    evaluation = _Evaluation(settings, protocol, extractor, data)
    return [evaluation.measure(run, hasher) for run, hasher in zip(settings.runs, hashers, strict=True)]


class _Evaluation:
    """What the runs of one call share: pictures, features, relevance."""

    def __init__(
        self,
        settings: EvaluateProtocolSettings,
        protocol: RetrievalProtocol,
        extractor: FeatureExtractor,
        data: ProtocolData,
    ) -> None:
        self._settings = settings
        self._protocol = protocol
        self._extractor = extractor
        self._database = extract_features(data.database, extractor)
        self._queries = extract_features(data.queries, extractor)
        labels = self._queries.pictures.labels, self._database.pictures.labels
        self._relevance: RelevanceRows = relevance_of(*labels)
        self._train_labels = _train_labels(self._database.pictures)

    def measure(self, run: MethodRun, hasher: Hasher) -> RetrievalReport:
        clock = _Clock()
        hasher.fit(self._database.features, self._train_labels)
        train_seconds = clock.lap()
        database = self._database_codes(run, hasher)
        distances = self._distances(run, hasher, database)
        encode_seconds = clock.lap()
        measured = MeasurementSettings(
            cutoffs=self._settings.cutoffs, seed=self._settings.seed, headline=self._settings.headline
        )
        measurement = measure_retrieval(distances, self._relevance, measured)
        seconds = RunSeconds(
            train_seconds=train_seconds,
            feature_seconds=self._database.seconds + self._queries.seconds,
            encode_seconds=encode_seconds,
            rank_seconds=clock.lap(),
        )
        report = RetrievalReport(
            run=self._describe(run, hasher),
            measurement=measurement,
            code_health=code_health(database),
            seconds=seconds,
            gallery=self._gallery(distances),
        )
        _log.info("%s evaluated: %s", report.title, seconds)
        return report

    def _database_codes(self, run: MethodRun, hasher: Hasher) -> BinaryCodes:
        if run.database == "encoded":
            return hasher.encode(self._database.features)
        if hasher.training_codes is None:
            raise UsageError(f"{run.method} learns no codes for its training items; use --database encoded")
        return hasher.training_codes

    def _distances(self, run: MethodRun, hasher: Hasher, database: BinaryCodes) -> CodeDistances:
        ranking, features = run.ranking_of(hasher), self._queries.features
        if isinstance(hasher, Quantizer):
            asymmetric = ranking == "asymmetric"
            tables = hasher.lookup_tables(features) if asymmetric else hasher.lookup_tables_of(hasher.encode(features))
            return table_distances(tables, database)
        queries = hasher.encode(features)
        if ranking == "rerank":
            sides = RerankedSide(codes=queries, features=features), self._reranked(database)
            return reranked_distances(*sides, run.num_tables)
        return code_distances(queries, database, ranking, run.num_tables)

    def _reranked(self, database: BinaryCodes) -> RerankedSide:
        return RerankedSide(codes=database, features=self._database.features)

    def _describe(self, run: MethodRun, hasher: Hasher) -> RunDescription:
        return RunDescription(
            protocol=self._protocol.name,
            protocol_summary=self._protocol.summary,
            features=self._settings.features,
            feature_settings=self._extractor.settings(),
            method=run.method,
            method_settings=hasher.settings(),
            num_bits=run.num_bits,
            num_tables=run.num_tables,
            ranking=run.ranking_of(hasher),
            database=run.database,
            seed=self._settings.seed,
            num_database=len(self._database.pictures),
            num_queries=len(self._queries.pictures),
            num_rejected=self._database.num_rejected + self._queries.num_rejected,
        )

    def _gallery(self, distances: CodeDistances) -> tuple[GalleryRow, ...]:
        sides = _gallery_side(self._queries.pictures), _gallery_side(self._database.pictures)
        settings = GallerySettings(num_queries=self._settings.num_gallery_queries, seed=self._settings.seed)
        return neighbour_gallery(distances, self._relevance, sides, settings)


def _gallery_side(pictures: LabelledPictures) -> GallerySide:
    return GallerySide(
        keys=pictures.keys, labels=pictures.labels, thumbnail=lambda row: thumbnail_of(pictures.read(row))
    )


def _train_labels(pictures: LabelledPictures) -> NDArray[np.int64] | None:
    """Class numbers where every picture has one label, for methods that learn from labels."""
    if any(len(labels) != 1 for labels in pictures.labels):
        return None
    return label_numbers(pictures.labels, label_names(pictures.labels))


class _Clock:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.perf_counter()
        elapsed, self._last = now - self._last, now
        return elapsed
