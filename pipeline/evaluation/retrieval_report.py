"""`RetrievalReport`: the record of one evaluated method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isnan
from typing import Literal

from operators.features.feature_extractor import Json
from operators.metrics.code_health import CodeHealth
from pipeline.evaluation.neighbour_gallery import GalleryRow
from pipeline.evaluation.retrieval_measurement import Curve, RetrievalMeasurement

DatabaseCodes = Literal["encoded", "learned"]


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """What was evaluated on what. `num_bits` counts bits per table; a code has `num_bits * num_tables`.

    `database`: its codes are "encoded" as queries are, or "learned" for the training items (which knows their labels,
    where a method is supervised). `num_training`: how many were learned from, None where nothing was."""

    protocol: str
    protocol_summary: str
    features: str
    feature_settings: Mapping[str, Json]
    method: str
    method_settings: Mapping[str, Json]
    num_bits: int
    num_tables: int
    ranking: str
    seed: int
    num_database: int
    num_queries: int
    num_rejected: int
    database: DatabaseCodes = "encoded"
    num_training: int | None = None
    supervised: bool = False


@dataclass(frozen=True, kw_only=True)
class RunSeconds:
    """Where the time went; None where a step was not part of the run. `feature_seconds`: decoding and features, shared
    by the runs of a call; `encode_seconds`: hashing database and queries; `rank_seconds`: ranking and all metrics."""

    train_seconds: float | None = None
    feature_seconds: float | None = None
    encode_seconds: float | None = None
    rank_seconds: float


@dataclass(frozen=True, kw_only=True)
class RetrievalReport:
    """One evaluated method. `gallery` is for the page only; everything else is in the JSON."""

    run: RunDescription
    measurement: RetrievalMeasurement
    code_health: CodeHealth
    seconds: RunSeconds
    gallery: tuple[GalleryRow, ...] = field(default=(), repr=False)

    @property
    def metrics(self) -> Mapping[str, float]:
        """Means over queries by the names of `metric_catalog`."""
        return self.measurement.metrics

    @property
    def title(self) -> str:
        """One line that tells this run from the others on a page."""
        run = self.run
        tables = f" × {run.num_tables} tables, {run.ranking}" if run.num_tables > 1 else ""
        learned = ", learned database codes" if run.database == "learned" else ""
        return f"{run.method} {run.num_bits} bits{tables}, {run.features}{learned}"

    def to_json(self) -> dict[str, Json]:
        """One flat object; a metric that no query defines (NaN) is null."""
        measurement = self.measurement
        return {
            **asdict(self.run),
            "num_queries_without_relevant": measurement.num_without_relevant,
            "metrics": {name: _number(value) for name, value in measurement.metrics.items()},
            "candidate_fraction": measurement.candidate_fraction,
            "precision_recall": _curve(measurement.precision_recall, ("recall", "precision")),
            "precision_at_k": _curve(measurement.precision_at_k, ("k", "precision")),
            "code_health": dict(asdict(self.code_health)),
            **asdict(self.seconds),
        }


def _number(value: float) -> float | None:
    return None if isnan(value) else value


def _curve(curve: Curve, names: tuple[str, str]) -> dict[str, Json]:
    return {names[0]: list(curve.x), names[1]: [_number(value) for value in curve.y]}
