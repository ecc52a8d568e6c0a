"""A small comparison, made of real reports, for tests of tables and pages."""

from __future__ import annotations

from dataclasses import replace

from pipeline.evaluation.comparison_plan import LeftOut
from pipeline.evaluation.finished_run import CodeMap, FinishedRun, finished
from pipeline.evaluation.method_comparison import MethodComparison
from pipeline.evaluation.retrieval_report import DatabaseCodes
from tests.pipeline.evaluation.small_evaluation import small_report

CODE_MAP = CodeMap(x=[0.0, 1.0], y=[0.0, 0.5], class_numbers=[0, 1], classes=["cat", "dog"])


def small_run(
    method: str,
    num_bits: int = 16,
    *,
    seed: int = 0,
    map_at_10: float | None = None,
    database: DatabaseCodes = "encoded",
) -> FinishedRun:
    """`map_at_10` replaces the measured one; methods named `dsh` see labels."""
    report = small_report(method=method, num_bits=num_bits)
    run = replace(report.run, seed=seed, database=database, num_training=12, supervised=method == "dsh")
    if map_at_10 is not None:
        metrics = {**report.measurement.metrics, "map_at_10": map_at_10}
        report = replace(report, measurement=replace(report.measurement, metrics=metrics))
    report = replace(report, run=run, seconds=replace(report.seconds, encode_seconds=0.5))
    return finished(report, CODE_MAP if seed == 0 else None)


def small_comparison(*, label: str = "a test") -> MethodComparison:
    """Two label-free methods and a supervised one; one of them with three seeds, one not at every length."""
    runs = (
        small_run("lsh", 8, map_at_10=0.5),
        small_run("lsh", 16, map_at_10=0.5),
        *(small_run("dsh", bits, seed=seed, map_at_10=0.9 + 0.01 * seed) for bits in (8, 16) for seed in (2, 0, 1)),
        small_run("dsh", 16, map_at_10=0.99, database="learned"),
        small_run("itq", 16, map_at_10=0.75),
    )
    return MethodComparison(
        protocol="folder",
        protocol_summary=label,
        headline_metric="map_at_10",
        facts={"date": "2026-01-02", "machine": {"cpu": "any"}},
        runs=runs,
        left_out=(LeftOut(method="itq", num_bits=8, reason="too few"),),
        failed=(LeftOut(method="pq", num_bits=8, reason="no words"),),
    )
