from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench_retrieval_quality import (
    PUBLISHED_MAP_AT_10,
    SINGLE_TABLE_BITS,
    QualityRun,
    measure,
    shortfalls,
    summarise,
)
from pipeline.evaluation.retrieval_report import RetrievalReport
from tests.pipeline.evaluation.small_evaluation import small_report


def _report(method: str, tables: int, bits: int, value: float) -> RetrievalReport:
    report = small_report()
    metrics = {**report.metrics, "map_at_10": value, "precision_at_100": 0.5}
    return replace(
        report,
        run=replace(report.run, method=method, num_tables=tables, num_bits=bits),
        measurement=replace(report.measurement, metrics=metrics),
    )


def _passing() -> list[RetrievalReport]:
    reports = [_report("lsh", tables, bits, value) for (tables, bits), value in PUBLISHED_MAP_AT_10.items()]
    for bits in SINGLE_TABLE_BITS:
        reports += [_report("lsh", 1, bits, 0.6), _report("itq", 1, bits, 0.7)]
    return reports


def test_figures_that_reach_the_table_pass() -> None:
    assert shortfalls(_passing()) == []


@pytest.mark.parametrize(
    ("worse", "message"),
    [
        (("lsh", 16, 12, 0.69), "lsh 12 bits x 16 tables: 0.6900, published 0.6923"),
        (("itq", 1, 32, 0.6), "itq 32 bits: 0.6000, single-table lsh 0.6000"),
    ],
)
def test_a_figure_that_falls_short_is_named(worse: tuple[str, int, int, float], message: str) -> None:
    assert shortfalls([*_passing(), _report(*worse)]) == [message]


def test_figures_are_summarised_over_seeds() -> None:
    results = summarise([[_report("lsh", 8, 8, value)] for value in (0.6, 0.7, 0.65)])
    figure = results["lsh_8bits_8tables.map_at_10"]
    assert (figure.median, figure.lower_quartile, figure.upper_quartile) == (0.65, 0.6, 0.7)


@pytest.mark.timeout(600)
def test_fashion_mnist_reaches_the_published_table(fashion_mnist_dir: Path) -> None:
    """A sample of 2,000 queries; the whole protocol is the benchmark."""
    (reports,) = measure(QualityRun(seeds=(0,), data_dir=str(fashion_mnist_dir), max_queries=2000))
    assert shortfalls(reports) == []
