"""`bitquarry evaluate --all-methods`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.cli import options
from pipeline.cli.failures import EXIT_FAILED, EXIT_OK
from pipeline.cli.output import say, table

if TYPE_CHECKING:
    from pipeline.evaluation.method_comparison import MethodComparison, Spread


class ProtocolOptions(NamedTuple):
    """What to measure on, as given."""

    protocol: str
    data_dir: str | None
    seed: int
    max_queries: int | None
    max_training: int | None
    device: str


class FeatureOptions(NamedTuple):
    """What methods learn from, as given."""

    name: str
    settings: dict[str, Any]


class RunOptions(NamedTuple):
    """What to evaluate, as given."""

    methods: list[str] | None
    num_bits: list[int] | None
    num_tables: list[int] | None
    ranking: str | None
    method_set: list[str] | None
    database: str


class Comparing(NamedTuple):
    """Where a comparison goes, with how many seeds."""

    out: Path
    num_seeds: int
    as_json: bool


def compare_methods(asked: ProtocolOptions, learned_on: FeatureOptions, runs: RunOptions, comparing: Comparing) -> int:
    """Run the comparison and say what came out. Exit code 1 when a method failed."""
    from pipeline.evaluation.comparison_plan import ComparisonPlan
    from pipeline.jobs.evaluate_methods import PAGE_FILE, EvaluateMethodsSettings, evaluate_methods
    from pipeline.jobs.evaluate_protocol import ProtocolSettings

    comparison = evaluate_methods(
        EvaluateMethodsSettings(
            protocol=ProtocolSettings(
                name=asked.protocol,
                data_dir=asked.data_dir,
                seed=asked.seed,
                max_queries=asked.max_queries,
                max_training=asked.max_training,
            ),
            plan=ComparisonPlan(
                features=learned_on.name,
                methods=tuple(runs.methods or ()),
                num_bits=tuple(sorted(set(runs.num_bits or (16, 32, 64)))),
                num_seeds=comparing.num_seeds,
                method_settings=options.parse_settings(runs.method_set, "--method-set"),
            ),
            out=comparing.out,
            feature_settings=learned_on.settings,
            device=asked.device,
        ),
        on_fit=lambda number, total, title: print(f"{number} of {total}: {title}", file=sys.stderr, flush=True),
    )
    page = (comparing.out / PAGE_FILE).resolve()
    say(json.dumps(comparison.to_json()) if comparing.as_json else _as_text(comparison, page))
    return EXIT_FAILED if comparison.failed else EXIT_OK


def _as_text(comparison: MethodComparison, page: Path) -> str:
    metric, lengths = comparison.headline_metric, comparison.lengths
    rows = [
        (
            row.name,
            row.features,
            "yes" if row.supervised else "no",
            *(_shown(row.lengths[bits].spread("metrics", metric) if bits in row.lengths else None) for bits in lengths),
        )
        for row in comparison.rows()
    ]
    lines = [
        f"{comparison.protocol}, {metric}: {comparison.protocol_summary}",
        table(("method", "features", "labels", *(f"{bits} bits" for bits in lengths)), rows),
        *(f"left out: {item.method}, {item.num_bits} bits: {item.reason}" for item in comparison.left_out),
        *(f"failed: {item.method}, {item.num_bits} bits: {item.reason}" for item in comparison.failed),
        f"page: {page}",
    ]
    return "\n".join(lines)


def _shown(spread: Spread | None) -> str:
    return "-" if spread is None else str(spread)
