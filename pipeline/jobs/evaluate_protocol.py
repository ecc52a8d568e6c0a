"""Measure the retrieval quality of methods on a protocol: load, features, fit, encode, rank, metrics. In this
process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher
from pipeline.errors import MissingAccelerator, UsageError
from pipeline.evaluation.method_evaluation import (
    EvaluatedFeatures,
    FittedMethod,
    MethodEvaluation,
    learns_by_epochs,
)
from pipeline.evaluation.method_run import MethodRun as MethodRun
from pipeline.evaluation.neighbour_gallery import GallerySettings
from pipeline.evaluation.protocol_registry import create_protocol
from pipeline.evaluation.retrieval_measurement import MeasurementSettings
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol
from pipeline.evaluation.retrieval_report import RetrievalReport
from pipeline.model_store.feature_opening import open_features

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class ProtocolSettings:
    """`data_dir`: where the pictures are (None: the protocol's own place). `max_queries`, `max_training`: a seeded
    sample of the queries, of the pictures to learn from. `seed` draws splits and samples."""

    name: str
    data_dir: str | None = None
    seed: int = 0
    max_queries: int | None = None
    max_training: int | None = None

    def __post_init__(self) -> None:
        if any(number is not None and number < 1 for number in (self.max_queries, self.max_training)):
            raise UsageError("evaluate needs at least one query and one picture to learn from")

    def protocol(self) -> RetrievalProtocol:
        """Raises `UnknownName` and `UsageError`."""
        return create_protocol(self.name, data_dir=self.data_dir, seed=self.seed)

    def load(self, protocol: RetrievalProtocol) -> ProtocolData:
        """Raises what the protocol's `load` raises."""
        data = protocol.load()
        if self.max_queries is not None:
            data = data.with_fewer_queries(self.max_queries, self.seed)
        return data if self.max_training is None else data.with_less_training(self.max_training, self.seed)


@dataclass(frozen=True, kw_only=True)
class EvaluateProtocolSettings:
    """`data_dir`, `max_queries` and `max_training` as in `ProtocolSettings`.

    `seed` draws splits, samples, methods and the order of ties. Features are computed once for all `runs`. `headline`:
    as in `MeasurementSettings`. `cutoffs`: None takes the protocol's. `device`: of methods that learn by epochs.
    """

    protocol: str
    features: str
    runs: tuple[MethodRun, ...]
    feature_settings: Mapping[str, Json] = field(default_factory=dict)
    data_dir: str | None = None
    seed: int = 0
    max_queries: int | None = None
    max_training: int | None = None
    headline: bool = False
    cutoffs: tuple[int, ...] | None = None
    num_gallery_queries: int = 8
    device: str = "auto"

    def protocol_settings(self) -> ProtocolSettings:
        return ProtocolSettings(
            name=self.protocol,
            data_dir=self.data_dir,
            seed=self.seed,
            max_queries=self.max_queries,
            max_training=self.max_training,
        )


def evaluate_protocol(settings: EvaluateProtocolSettings) -> list[RetrievalReport]:
    """One report per run, in order; runs in a row that learn the same are fitted once.

    Raises `UnknownName`, `UsageError`, `InvalidSetting` and `MissingAccelerator` before the long work where possible.
    """
    if not settings.runs:
        raise UsageError("evaluate needs at least one method")
    asked = settings.protocol_settings()
    protocol = asked.protocol()
    extractor_settings = {**protocol.feature_settings(settings.features), **settings.feature_settings}
    extractor = open_features(settings.features, extractor_settings)
    hashers = [run.hasher(settings.seed) for run in settings.runs]
    for run, hasher in zip(settings.runs, hashers, strict=True):
        run.ranking_of(hasher)
    features = EvaluatedFeatures(
        name=settings.features, extractor=extractor, device=device_for(hashers, settings.device)
    )
    evaluation = MethodEvaluation(protocol, asked.load(protocol), features)
    measured = MeasurementSettings(
        cutoffs=settings.cutoffs or protocol.cutoffs, seed=settings.seed, headline=settings.headline
    )
    gallery = GallerySettings(num_queries=settings.num_gallery_queries, seed=settings.seed)
    reports: list[RetrievalReport] = []
    fitted: FittedMethod | None = None
    for run, hasher in zip(settings.runs, hashers, strict=True):
        if fitted is None or not fitted.run.learns_as(run):
            fitted = evaluation.fit(run, hasher, settings.seed)
        fitted = replace(fitted, run=run)
        reports.append(evaluation.measure(fitted, measured, gallery))
    return reports


def device_for(hashers: Iterable[Hasher | type[Hasher]], asked: str) -> str:
    """Where they learn: "cpu" or "cuda". Raises `UsageError` for another word, `MissingAccelerator` for a GPU that is
    asked for and not there."""
    if asked not in DEVICES:
        raise UsageError(f"device {asked!r}: expected one of {', '.join(DEVICES)}")
    if asked == "cpu" or not any(learns_by_epochs(hasher) for hasher in hashers):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if asked == "cuda":
        raise MissingAccelerator("device cuda, but torch sees no GPU here; install a CUDA build of torch, or use cpu")
    return "cpu"
