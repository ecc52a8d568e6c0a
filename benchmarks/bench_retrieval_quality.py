"""Retrieval quality on Fashion-MNIST: multi-table LSH against the published table, ITQ against LSH at equal bits.

    python -m benchmarks.bench_retrieval_quality [--page quality.html]

60,000 training pictures are the database, the 10,000 test pictures the queries; HOG features; relevant means same
class; mAP@10 is AP@10/hits. Tables are ranked by the number of tables in which an item shares the query's bucket. Exits
with 1 when a figure falls short.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.result_file import Measurement, measured_here
from pipeline.evaluation.report_page import render_report_page
from pipeline.evaluation.retrieval_report import RetrievalReport
from pipeline.jobs.evaluate_protocol import EvaluateProtocolSettings, MethodRun, evaluate_protocol

# mAP@10 by (tables, bits per table), from the table "LSH on Fashion-MNIST" that the project measures itself against.
PUBLISHED_MAP_AT_10 = {
    (8, 8): 0.6223,
    (8, 12): 0.6401,
    (8, 16): 0.6494,
    (16, 8): 0.6775,
    (16, 12): 0.6923,
    (16, 16): 0.6940,
}
SINGLE_TABLE_BITS = (16, 32, 64)
_REPORTED_METRICS = ("map_at_10", "map_at_10_tie_expected", "ap_all", "ap_all_tie_expected", "precision_at_100")


@dataclass(frozen=True, kw_only=True)
class QualityRun:
    """What to evaluate: `seeds` draw the projections and the order of ties; fewer queries make a quick check."""

    seeds: tuple[int, ...] = (0, 1, 2)
    data_dir: str | None = None
    max_queries: int | None = None


def method_runs() -> tuple[MethodRun, ...]:
    tables = [
        MethodRun(method="lsh", num_bits=bits, num_tables=num_tables, ranking="collisions")
        for num_tables, bits in PUBLISHED_MAP_AT_10
    ]
    single = [MethodRun(method=method, num_bits=bits) for bits in SINGLE_TABLE_BITS for method in ("lsh", "itq")]
    return (*tables, *single)


def measure(run: QualityRun) -> list[list[RetrievalReport]]:
    """The reports of every seed, one list per seed."""
    return [
        evaluate_protocol(
            EvaluateProtocolSettings(
                protocol="fashion-mnist",
                features="hog",
                runs=method_runs(),
                data_dir=run.data_dir,
                seed=seed,
                max_queries=run.max_queries,
            )
        )
        for seed in run.seeds
    ]


def shortfalls(reports: Sequence[RetrievalReport]) -> list[str]:
    """What falls short of the published table, or of LSH at equal bits; empty when nothing does."""
    values = {(r.run.method, r.run.num_tables, r.run.num_bits): r.metrics["map_at_10"] for r in reports}
    found = [
        f"lsh {bits} bits x {tables} tables: {values['lsh', tables, bits]:.4f}, published {published}"
        for (tables, bits), published in PUBLISHED_MAP_AT_10.items()
        if values["lsh", tables, bits] < published
    ]
    found += [
        f"itq {bits} bits: {values['itq', 1, bits]:.4f}, single-table lsh {values['lsh', 1, bits]:.4f}"
        for bits in SINGLE_TABLE_BITS
        if values["itq", 1, bits] <= values["lsh", 1, bits]
    ]
    return found


def summarise(by_seed: Sequence[Sequence[RetrievalReport]]) -> dict[str, Measurement]:
    """Figures over the seeds by `<method>_<bits>bits_<tables>tables.<metric>`."""
    results = {}
    for reports in zip(*by_seed, strict=True):
        run = reports[0].run
        name = f"{run.method}_{run.num_bits}bits_{run.num_tables}tables"
        for metric in _REPORTED_METRICS:
            results[f"{name}.{metric}"] = Measurement.of([report.metrics[metric] for report in reports], "1")
        fractions = [f for report in reports if (f := report.measurement.candidate_fraction) is not None]
        if fractions:
            results[f"{name}.candidate_fraction"] = Measurement.of(fractions, "1")
        ranked = [report.run.num_queries / report.seconds.rank_seconds for report in reports]
        results[f"{name}.measured_queries_per_second"] = Measurement.of(ranked, "1/s")
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = QualityRun(seeds=tuple(options.seeds), data_dir=options.data, max_queries=options.max_queries)
    by_seed = measure(run)
    missed = [
        f"seed {seed}: {line}" for seed, reports in zip(run.seeds, by_seed, strict=True) for line in shortfalls(reports)
    ]
    for reports in by_seed:
        for report in reports:
            print(f"{report.title:45} {report.metrics['map_at_10']:.4f}")
    if options.page is not None:
        options.page.write_text(render_report_page(by_seed[0], title="Fashion-MNIST"), encoding="utf-8")
    first = by_seed[0][0].run
    result = measured_here(
        "retrieval-quality",
        options.hardware,
        settings={
            "protocol": first.protocol,
            "features": first.features,
            "feature_settings": dict(first.feature_settings),
            "seeds": list(run.seeds),
            "num_queries": first.num_queries,
            "num_database": first.num_database,
            "published_map_at_10": {
                f"{bits}bits_{tables}tables": v for (tables, bits), v in PUBLISHED_MAP_AT_10.items()
            },
        },
        results=summarise(by_seed),
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    print("\n".join(missed) or "every figure reaches the published table")
    return 1 if missed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_retrieval_quality", __doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", help="folder with the IDX files (default: where the Debian package puts them)")
    parser.add_argument("--max-queries", type=int, help="a sample of the queries, for a quick look")
    parser.add_argument("--page", type=Path, help="write the HTML page of the first seed here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
