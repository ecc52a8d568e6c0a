"""`MethodEvaluation`: methods fitted and measured on the features of one protocol."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.features.feature_extractor import FeatureExtractor
from operators.hashers.hasher import Hasher
from operators.hashers.quantizer import Quantizer
from operators.metrics.code_health import code_health
from pipeline.errors import UsageError
from pipeline.evaluation.code_distances import (
    CodeDistances,
    RerankedSide,
    code_distances,
    reranked_distances,
    table_distances,
    vector_distances,
)
from pipeline.evaluation.label_relevance import relevance_of, training_labels
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.method_run import MethodRun
from pipeline.evaluation.neighbour_gallery import (
    GalleryRow,
    GallerySettings,
    GallerySide,
    neighbour_gallery,
    thumbnail_of,
)
from pipeline.evaluation.picture_features import PictureFeatures, extract_features
from pipeline.evaluation.retrieval_measurement import MeasurementSettings, measure_retrieval
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol
from pipeline.evaluation.retrieval_report import RetrievalReport, RunDescription, RunSeconds

if TYPE_CHECKING:  # torch takes seconds to import, and methods that learn in one go do without
    from operators.hashers.trainable_hasher import TrainableHasher

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EvaluatedFeatures:
    """Features by the name under which reports give them. Methods that learn by epochs compute on `device`."""

    name: str
    extractor: FeatureExtractor
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class FittedMethod:
    """A method after `fit`, which took `train_seconds`; `seed` also orders ties."""

    run: MethodRun
    hasher: Hasher
    seed: int
    train_seconds: float


class MethodEvaluation:
    """What runs share: pictures, features, relevance. Features are computed once, here."""

    def __init__(self, protocol: RetrievalProtocol, data: ProtocolData, features: EvaluatedFeatures) -> None:
        self._protocol = protocol
        self._features = features
        self._database = extract_features(data.database, features.extractor)
        self._queries = extract_features(data.queries, features.extractor)
        self._training = (
            self._database if data.training is None else extract_features(data.training, features.extractor)
        )
        self._relevance = relevance_of(self._queries.pictures.labels, self._database.pictures.labels)
        self._labels = training_labels(self._training.pictures.labels)

    @property
    def database_features(self) -> NDArray[np.float32]:
        return self._database.features

    @property
    def database_labels(self) -> tuple[tuple[str, ...], ...]:
        return self._database.pictures.labels

    def fit(self, run: MethodRun, hasher: Hasher, seed: int) -> FittedMethod:
        """Raises what `fit` of the method raises."""
        started = time.perf_counter()
        if learns_by_epochs(hasher):
            self._fit_by_epochs(cast("TrainableHasher[Any]", hasher))
        else:
            hasher.fit(self._training.features, self._labels)
        return FittedMethod(run=run, hasher=hasher, seed=seed, train_seconds=time.perf_counter() - started)

    def _fit_by_epochs(self, hasher: TrainableHasher[Any]) -> None:
        from operators.training.workers import Workers

        workers = Workers(device=self._features.device)
        training = hasher.start(self._training.features, self._labels, workers=workers)
        for epoch in range(training.num_epochs):
            losses = training.run_epoch(epoch)
            _log.info("%s, epoch %d of %d: %s", hasher.method, epoch + 1, training.num_epochs, losses)
        training.publish()

    def offers_learned_codes(self, fitted: FittedMethod) -> bool:
        """Whether the method learned codes for the very pictures that are the database."""
        return fitted.hasher.training_codes is not None and self._training is self._database

    def measure(self, fitted: FittedMethod, settings: MeasurementSettings, gallery: GallerySettings) -> RetrievalReport:
        """Encode, rank, score. Raises `UsageError` for learned codes that there are not."""
        clock = _Clock()
        database = self._database_codes(fitted)
        distances = self._distances(fitted, database)
        encode_seconds = clock.lap()
        measurement = measure_retrieval(distances, self._relevance, settings)
        seconds = RunSeconds(
            train_seconds=fitted.train_seconds,
            feature_seconds=sum(side.seconds for side in self._sides()),
            encode_seconds=encode_seconds,
            rank_seconds=clock.lap(),
        )
        report = RetrievalReport(
            run=self._describe(fitted),
            measurement=measurement,
            code_health=code_health(database),
            seconds=seconds,
            gallery=self._gallery(distances, gallery),
        )
        _log.info("%s evaluated: %s", report.title, seconds)
        return report

    def _sides(self) -> list[PictureFeatures]:
        apart = [] if self._training is self._database else [self._training]
        return [self._database, self._queries, *apart]

    def _database_codes(self, fitted: FittedMethod) -> BinaryCodes:
        hasher = fitted.hasher
        if fitted.run.ranking == "unquantized" and isinstance(hasher, Quantizer):
            vectors = np.ascontiguousarray(self._training_vectors(hasher))
            return BinaryCodes(vectors.view(np.uint8), 32 * vectors.shape[1])  # all that there is to store
        if fitted.run.database == "encoded":
            return hasher.encode(self._database.features)
        learned = hasher.training_codes
        if learned is None:
            raise UsageError(f"{fitted.run.method} learns no codes for its training items; use --database encoded")
        if self._training is not self._database:
            raise UsageError("learned codes are of the training set, which is not the database; use --database encoded")
        return learned

    def _distances(self, fitted: FittedMethod, database: BinaryCodes) -> CodeDistances:
        run, hasher, features = fitted.run, fitted.hasher, self._queries.features
        ranking = run.ranking_of(hasher)
        if isinstance(hasher, Quantizer):
            if ranking == "unquantized":
                return vector_distances(hasher.query_vectors(features), self._training_vectors(hasher))
            asymmetric = ranking == "asymmetric"
            tables = hasher.lookup_tables(features) if asymmetric else hasher.lookup_tables_of(hasher.encode(features))
            return table_distances(tables, database)
        queries = hasher.encode(features)
        if ranking == "rerank":
            asked = RerankedSide(codes=queries, features=features)
            answering = RerankedSide(codes=database, features=self._database.features)
            return reranked_distances(asked, answering, run.num_tables)
        return code_distances(queries, database, ranking, run.num_tables)

    def _training_vectors(self, hasher: Quantizer) -> NDArray[np.float32]:
        vectors = hasher.training_vectors
        if vectors is None or self._training is not self._database:
            raise UsageError(
                f"ranking unquantized: expected a method that learns real vectors for the database (spdaq with "
                f"variant=nQ, trained on the database), got {hasher.method}; use another ranking"
            )
        return vectors

    def _describe(self, fitted: FittedMethod) -> RunDescription:
        return RunDescription(
            protocol=self._protocol.name,
            protocol_summary=self._protocol.summary,
            features=self._features.name,
            feature_settings=self._features.extractor.settings(),
            method=fitted.run.method,
            method_settings=fitted.hasher.settings(),
            supervised=fitted.hasher.needs_labels,
            num_bits=fitted.run.num_bits,
            num_tables=fitted.run.num_tables,
            ranking=fitted.run.ranking_of(fitted.hasher),
            database=fitted.run.database,
            seed=fitted.seed,
            num_training=len(self._training.pictures),
            num_database=len(self._database.pictures),
            num_queries=len(self._queries.pictures),
            num_rejected=sum(side.num_rejected for side in self._sides()),
        )

    def _gallery(self, distances: CodeDistances, settings: GallerySettings) -> tuple[GalleryRow, ...]:
        sides = _gallery_side(self._queries.pictures), _gallery_side(self._database.pictures)
        return neighbour_gallery(distances, self._relevance, sides, settings)


def learns_by_epochs(hasher: Hasher | type[Hasher]) -> bool:
    """Whether it is a `TrainableHasher`; asked without importing that class, and torch with it."""
    return hasattr(hasher, "start")


def _gallery_side(pictures: LabelledPictures) -> GallerySide:
    return GallerySide(
        keys=pictures.keys, labels=pictures.labels, thumbnail=lambda row: thumbnail_of(pictures.read(row))
    )


class _Clock:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.perf_counter()
        elapsed, self._last = now - self._last, now
        return elapsed
