"""Retrieval quality of the hashing and quantization methods on Fashion-MNIST, one group of them at a time.

    python -m benchmarks.bench_methods --group dsh [--seeds 0 1 2] [--set num_epochs=10 dsh.num_epochs=8]

60,000 training pictures are the database and the training set, the 10,000 test pictures the queries; relevant means
same class; mAP@10 is AP@10/hits, ap_all the whole ranking. A group may learn from a seeded sample of the training
pictures, as if the labels of all others were hidden. Exits with 1 when a claim of `method_claims` does not hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.method_claims import GROUPS, Figures, MethodGroup
from benchmarks.method_overrides import overrides_of, parsed_overrides
from benchmarks.result_file import Measurement, measured_here
from operators.features.feature_extractor import Json
from pipeline.evaluation.retrieval_report import RetrievalReport
from pipeline.jobs.evaluate_protocol import EvaluateProtocolSettings, MethodRun, evaluate_protocol

_METRICS = ("map_at_10", "ap_all", "precision_at_100")
_UNITS = {"train_seconds": "s", "encode_seconds": "s", "distinct_codes": "1", "candidate_fraction": "1"}


@dataclass(frozen=True, kw_only=True)
class MethodsRun:
    """`overrides` are settings laid over those of the runs (fewer epochs, …), see `overrides_of`."""

    seeds: tuple[int, ...] = (0, 1, 2)
    data_dir: str | None = None
    max_queries: int | None = None
    overrides: Mapping[str, Json] = field(default_factory=dict)
    protocol: str = "fashion-mnist"


def measure(group: MethodGroup, run: MethodsRun) -> dict[str, list[RetrievalReport]]:
    """Reports by run name, one per seed. Features are computed once per seed."""
    runs = [_overridden(method_run, run.overrides) for method_run in group.runs.values()]
    by_seed = [
        evaluate_protocol(
            EvaluateProtocolSettings(
                protocol=run.protocol,
                features=group.features,
                feature_settings=group.feature_settings,
                runs=tuple(runs),
                data_dir=run.data_dir,
                seed=seed,
                max_queries=run.max_queries,
                max_training=group.max_training,
                headline=True,
                num_gallery_queries=0,
            )
        )
        for seed in run.seeds
    ]
    return {name: list(reports) for name, reports in zip(group.runs, zip(*by_seed, strict=True), strict=True)}


def figures_of(reports: Mapping[str, Sequence[RetrievalReport]]) -> dict[str, dict[str, list[float]]]:
    """Values over the seeds: run name -> figure -> values."""
    figures: dict[str, dict[str, list[float]]] = {}
    for name, of_seeds in reports.items():
        known = [metric for metric in _METRICS if metric in of_seeds[0].metrics]
        own: dict[str, list[float]] = {metric: [r.metrics[metric] for r in of_seeds] for metric in known}
        own["train_seconds"] = [float(r.seconds.train_seconds or 0.0) for r in of_seeds]
        own["encode_seconds"] = [float(r.seconds.encode_seconds or 0.0) for r in of_seeds]
        own["distinct_codes"] = [float(r.code_health.num_distinct_codes) for r in of_seeds]
        fractions = [f for r in of_seeds if (f := r.measurement.candidate_fraction) is not None]
        if fractions:
            own["candidate_fraction"] = fractions
        figures[name] = own
    return figures


def unmet_claims(group: MethodGroup, figures: Mapping[str, Mapping[str, Sequence[float]]]) -> list[str]:
    """The texts of claims that the medians do not meet."""
    medians: Figures = {
        name: {figure: median(values) for figure, values in own.items()} for name, own in figures.items()
    }
    return [claim.text for claim in group.claims if not claim.holds(medians)]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    overrides = parsed_overrides(options.set)
    run = MethodsRun(
        seeds=tuple(options.seeds), data_dir=options.data, max_queries=options.max_queries, overrides=overrides
    )
    group = GROUPS[options.group]()
    if options.only:
        group = replace(group, runs={name: group.runs[name] for name in options.only}, claims=())
    figures = figures_of(measure(group, run))
    for name, own in figures.items():
        print(name, {figure: round(median(values), 4) for figure, values in own.items()})
    missed = unmet_claims(group, figures)
    result = measured_here(
        f"methods-{options.group}{options.suffix}",
        options.hardware,
        settings={
            "protocol": run.protocol,
            "features": group.features,
            "feature_settings": dict(group.feature_settings),
            "seeds": list(run.seeds),
            "max_queries": run.max_queries,
            "max_training": group.max_training,
            "overrides": dict(overrides),
            "runs": {name: _described(method_run) for name, method_run in group.runs.items()},
            "claims": [claim.text for claim in group.claims],
            "unmet_claims": list(missed),
        },
        results={
            f"{name}.{figure}": Measurement.of(values, _UNITS.get(figure, "1"))
            for name, own in figures.items()
            for figure, values in own.items()
        },
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    print("\n".join(f"not met: {text}" for text in missed) or "every claim holds")
    return 1 if missed else 0


def _overridden(run: MethodRun, overrides: Mapping[str, Json]) -> MethodRun:
    return replace(run, settings={**run.settings, **overrides_of(run.method, overrides)})


def _described(run: MethodRun) -> dict[str, Json]:
    settings: dict[str, Json] = dict(run.settings)
    return {
        "method": run.method,
        "num_bits": run.num_bits,
        "num_tables": run.num_tables,
        "ranking": run.ranking,
        "database": run.database,
        "settings": settings,
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_methods", __doc__)
    parser.add_argument("--group", choices=sorted(GROUPS), default="classic")
    parser.add_argument("--only", nargs="+", help="names of runs; claims are not looked at then")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", nargs="+", default=[], help="settings, as num_epochs=10 or dsh.num_epochs=8")
    parser.add_argument("--data", help="folder with the IDX files (default: where the Debian package puts them)")
    parser.add_argument("--max-queries", type=int, help="a sample of the queries, for a quick look")
    parser.add_argument("--suffix", default="", help="added to the name of the result file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
