"""`MethodComparison`: the figures of many methods side by side, mean and spread over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev

from pydantic import JsonValue

from pipeline.evaluation.comparison_plan import FEATURE_RULE, LeftOut
from pipeline.evaluation.finished_run import FinishedRun


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and sample standard deviation over seeds; `deviation` is None for a single value."""

    mean: float
    deviation: float | None
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """None when a value is missing."""
        known = tuple(value for value in values if value is not None)
        if not known or len(known) < len(values):
            return None
        return cls(mean=mean(known), deviation=stdev(known) if len(known) > 1 else None, values=known)

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + ("" if self.deviation is None else f" ± {self.deviation:.4f}")


@dataclass(frozen=True, kw_only=True)
class MethodAtLength:
    """The runs of one row of the table at one code length, one per seed, by seed."""

    runs: tuple[FinishedRun, ...]

    def spread(self, *path: str) -> Spread | None:
        """Of a figure of the reports, as `spread("metrics", "ap_all")`."""
        return Spread.of([run.figure(*path) for run in self.runs])

    def curve(self, name: str, x: str, y: str) -> tuple[list[float], list[float]]:
        """Mean over seeds of a curve of the reports."""
        curves = [run.curve(name, x, y) for run in self.runs]
        return curves[0][0], [mean(values) for values in zip(*(ys for _, ys in curves), strict=True)]

    @property
    def first(self) -> FinishedRun:
        return self.runs[0]


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    """A row of the table: a method on one kind of features and database codes. `lengths`: by number of bits."""

    name: str
    features: str
    supervised: bool
    lengths: Mapping[int, MethodAtLength]


@dataclass(frozen=True, kw_only=True)
class MethodComparison:
    """`facts`: machine, versions, settings and the like, for the record. `failed`: methods that raised an error."""

    protocol: str
    protocol_summary: str
    headline_metric: str
    facts: Mapping[str, JsonValue]
    runs: tuple[FinishedRun, ...]
    left_out: tuple[LeftOut, ...] = ()
    failed: tuple[LeftOut, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """Code lengths with figures, ascending."""
        return tuple(sorted({run.num_bits for run in self.runs}))

    def rows(self) -> list[MethodRow]:
        """Best first at the longest codes, label-free methods before supervised ones."""
        grouped: dict[tuple[str, str, bool], dict[int, list[FinishedRun]]] = defaultdict(lambda: defaultdict(list))
        for run in self.runs:
            key = (run.row_name, str(run.report["features"]), bool(run.report["supervised"]))
            grouped[key][run.num_bits].append(run)
        rows = [
            MethodRow(name=name, features=features, supervised=supervised, lengths=_by_seed(lengths))
            for (name, features, supervised), lengths in grouped.items()
        ]
        return sorted(rows, key=lambda row: (row.supervised, [-value for value in self._standing(row)], row.name))

    def _standing(self, row: MethodRow) -> list[float]:
        """Headline figures from the longest codes to the shortest; 0 where there is none."""
        spreads = [
            row.lengths[bits].spread("metrics", self.headline_metric) if bits in row.lengths else None
            for bits in reversed(self.lengths)
        ]
        return [0.0 if spread is None else spread.mean for spread in spreads]

    def to_json(self) -> dict[str, JsonValue]:
        """Everything but the pictures: mean and spread per method and length, then every run."""
        return {
            "protocol": self.protocol,
            "protocol_summary": self.protocol_summary,
            "headline_metric": self.headline_metric,
            "feature_rule": FEATURE_RULE,
            **self.facts,
            "methods": [_summary(row, bits) for row in self.rows() for bits in sorted(row.lengths)],
            "left_out": [asdict(item) for item in self.left_out],
            "failed": [asdict(item) for item in self.failed],
            "runs": [run.report for run in self.runs],
        }


def _by_seed(lengths: Mapping[int, list[FinishedRun]]) -> dict[int, MethodAtLength]:
    return {bits: MethodAtLength(runs=tuple(sorted(runs, key=lambda run: run.seed))) for bits, runs in lengths.items()}


def _summary(row: MethodRow, bits: int) -> dict[str, JsonValue]:
    at_length = row.lengths[bits]
    report = at_length.first.report
    metrics = report["metrics"]
    assert isinstance(metrics, dict)
    return {
        "method": report["method"],
        "database": report["database"],
        "features": row.features,
        "supervised": row.supervised,
        "num_bits": bits,
        "seeds": [run.seed for run in at_length.runs],
        "metrics": {name: _spread_json(at_length.spread("metrics", name)) for name in metrics},
        "train_seconds": _spread_json(at_length.spread("train_seconds")),
        "encode_seconds": _spread_json(at_length.spread("encode_seconds")),
        "num_distinct_codes": _spread_json(at_length.spread("code_health", "num_distinct_codes")),
    }


def _spread_json(spread: Spread | None) -> JsonValue:
    if spread is None:
        return None
    return {"mean": spread.mean, "deviation": spread.deviation, "values": list(spread.values)}
