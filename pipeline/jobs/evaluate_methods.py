"""Train and score every method on a protocol; a table, curves and pictures of all of them. In this process.

What is finished is kept in the folder of the comparison: an interrupted call goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from operators.errors import InvalidSetting, OperatorError
from operators.features.feature_extractor import Json
from pipeline.errors import UsageError
from pipeline.evaluation.code_map import code_vectors, map_codes, require_map_library, sample_rows
from pipeline.evaluation.comparison_page import render_comparison_page
from pipeline.evaluation.comparison_plan import ComparisonPlan, LeftOut, PlannedFit, method_source_sha256
from pipeline.evaluation.finished_run import CodeMap, FinishedRun, FinishedRuns, finished
from pipeline.evaluation.measured_machine import measured_machine, measured_versions
from pipeline.evaluation.method_comparison import MethodComparison
from pipeline.evaluation.method_evaluation import EvaluatedFeatures, FittedMethod, MethodEvaluation
from pipeline.evaluation.neighbour_gallery import GallerySettings
from pipeline.evaluation.retrieval_measurement import MeasurementSettings
from pipeline.evaluation.retrieval_protocol import ProtocolData, RetrievalProtocol
from pipeline.jobs.evaluate_protocol import ProtocolSettings, device_for
from pipeline.model_store.feature_opening import open_features

RESULTS_FILE, PAGE_FILE, RUNS_FOLDER = "results.json", "page.html", "runs"
_GALLERY_QUERIES = 3
_log = logging.getLogger(__name__)

OnFit = Callable[[int, int, str], None]
"""Called before every fit: number from 1, how many there are, what it is."""


@dataclass(frozen=True, kw_only=True)
class EvaluateMethodsSettings:
    """`out`: the folder for the results, the page and what is finished. `feature_settings`: of `plan.features`; pixels
    for picture networks are as the protocol has them. `device`: of methods that learn by epochs."""

    protocol: ProtocolSettings
    plan: ComparisonPlan
    out: Path
    feature_settings: Mapping[str, Json] = field(default_factory=dict)
    device: str = "auto"


def evaluate_methods(settings: EvaluateMethodsSettings, on_fit: OnFit | None = None) -> MethodComparison:
    """The comparison, also written to `settings.out`. A method that raises an error is listed with it as failed.

    Raises `UnknownName`, `UsageError`, `MissingExtra`, `InvalidSetting` and `MissingAccelerator` before the long work.
    """
    require_map_library()
    fits, left_out = settings.plan.fits()
    device = device_for((fit.hasher for fit in fits), settings.device)
    protocol = settings.protocol.protocol()
    try:
        settings.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{settings.out}: {error.strerror}; give a folder that can be made") from None
    comparing = _Comparing(settings, protocol, settings.protocol.load(protocol), device)
    # One kind of features after the other: only one is in memory, and computed only where something is missing.
    fits = sorted(fits, key=lambda fit: fit.features != settings.plan.features)
    for number, fit in enumerate(fits, start=1):
        comparing.run(fit, partial(on_fit, number, len(fits)) if on_fit else _log.info)
    comparison = MethodComparison(
        protocol=protocol.name,
        protocol_summary=protocol.summary,
        headline_metric=protocol.headline_metric,
        facts=_facts(settings, device),
        runs=tuple(comparing.runs),
        left_out=(*left_out, *comparing.left_out),
        failed=tuple(comparing.failed),
    )
    _write(settings.out, comparison)
    return comparison


class _Comparing:
    """Goes through the fits, keeping what is finished."""

    def __init__(
        self, settings: EvaluateMethodsSettings, protocol: RetrievalProtocol, data: ProtocolData, device: str
    ) -> None:
        self.runs: list[FinishedRun] = []
        self.left_out: list[LeftOut] = []
        self.failed: list[LeftOut] = []
        self._settings, self._protocol, self._data, self._device = settings, protocol, data, device
        self._kept = FinishedRuns(settings.out / RUNS_FOLDER)
        self._data_sha256 = _digest(data)
        self._features: EvaluatedFeatures | None = None
        self._evaluation: MethodEvaluation | None = None

    def run(self, fit: PlannedFit, on_fit: Callable[[str], None]) -> None:
        key = FinishedRuns.key(self._identity(fit))
        runs = self._kept.find(key)
        if runs is None:
            on_fit(fit.title)
            try:
                runs = self._measure(fit)
            except OperatorError as error:
                self._note(fit, error)
                return
            self._kept.keep(key, runs)
        self.runs += runs

    def _note(self, fit: PlannedFit, error: OperatorError) -> None:
        entry = LeftOut(method=fit.run.method, num_bits=fit.run.num_bits, reason=str(error))
        too_long = isinstance(error, InvalidSetting) and error.name == f"{fit.run.method}.num_bits"
        known = self.left_out if too_long else self.failed
        if entry not in known:
            known.append(entry)
        _log.warning("%s: %s", fit.title, error)

    def _measure(self, fit: PlannedFit) -> list[FinishedRun]:
        evaluation = self._evaluation_on(fit.features)
        fitted = evaluation.fit(fit.run, fit.hasher, fit.seed)
        measured = MeasurementSettings(cutoffs=self._protocol.cutoffs, seed=fit.seed, headline=True)
        shown = self._is_shown(fit)
        gallery = GallerySettings(num_queries=_GALLERY_QUERIES if shown else 0, seed=self._settings.protocol.seed)
        code_map = self._code_map(fitted, evaluation) if shown else None
        runs = [finished(evaluation.measure(fitted, measured, gallery), code_map)]
        if evaluation.offers_learned_codes(fitted):
            learned = replace(fitted, run=replace(fit.run, database="learned"))
            runs.append(finished(evaluation.measure(learned, measured, gallery), None))
        return runs

    def _is_shown(self, fit: PlannedFit) -> bool:
        """Pictures and maps are of the longest codes and the first seed."""
        return fit.seed == 0 and fit.run.num_bits == max(self._settings.plan.num_bits)

    def _code_map(self, fitted: FittedMethod, evaluation: MethodEvaluation) -> CodeMap:
        features, labels = evaluation.database_features, evaluation.database_labels
        rows = sample_rows(len(features), self._settings.protocol.seed)
        vectors = code_vectors(fitted.hasher, fitted.hasher.encode(features[rows]))
        return map_codes(vectors, [labels[row] for row in rows.tolist()], self._settings.protocol.seed)

    def _evaluation_on(self, features: str) -> MethodEvaluation:
        opened = self._open(features)
        if self._evaluation is None:
            self._evaluation = MethodEvaluation(self._protocol, self._data, opened)
        return self._evaluation

    def _open(self, features: str) -> EvaluatedFeatures:
        if self._features is None or self._features.name != features:
            self._evaluation = None
            own = self._settings.feature_settings if features == self._settings.plan.features else {}
            extractor = open_features(features, {**self._protocol.feature_settings(features), **own})
            self._features = EvaluatedFeatures(name=features, extractor=extractor, device=self._device)
        return self._features

    def _identity(self, fit: PlannedFit) -> dict[str, JsonValue]:
        """Everything that the figures of a fit depend on."""
        return {
            "protocol": self._protocol.name,
            "data_sha256": self._data_sha256,
            "features": fit.features,
            "feature_settings": _plain(self._open(fit.features).extractor.settings()),
            "method": fit.run.method,
            "method_settings": _plain(fit.hasher.settings()),
            "method_source": method_source_sha256(fit.run.method),
            "cutoffs": list(self._protocol.cutoffs),
            "gallery_seed": self._settings.protocol.seed if self._is_shown(fit) else None,
            "device": self._device,
        }


def _facts(settings: EvaluateMethodsSettings, device: str) -> dict[str, JsonValue]:
    plan = {**asdict(settings.plan), "method_settings": dict(settings.plan.method_settings)}
    del plan["methods"]
    return {
        "date": datetime.now(UTC).replace(microsecond=0).isoformat(),
        "machine": measured_machine(device),
        "versions": dict[str, JsonValue](measured_versions()),
        "settings": _plain(
            {
                **plan,
                "feature_settings": dict(settings.feature_settings),
                "seed": settings.protocol.seed,
                "max_queries": settings.protocol.max_queries,
                "max_training": settings.protocol.max_training,
                "device": device,
            }
        ),
    }


def _write(out: Path, comparison: MethodComparison) -> None:
    for name, text in (
        (RESULTS_FILE, json.dumps(comparison.to_json(), indent=1) + "\n"),
        (PAGE_FILE, render_comparison_page(comparison)),
    ):
        part = out / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(out / name)


def _digest(data: ProtocolData) -> str:
    """Which pictures are on which side, with which labels."""
    digest = hashlib.sha256()
    for side in (data.queries, data.database, data.training):
        pairs = [] if side is None else list(zip(side.keys, side.labels, strict=True))
        digest.update(json.dumps(pairs).encode())
    return digest.hexdigest()


def _plain(value: object) -> JsonValue:
    plain: JsonValue = json.loads(json.dumps(value))
    return plain
