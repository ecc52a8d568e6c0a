"""`bitquarry evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from pipeline.cli import options
from pipeline.cli.compare_methods import Comparing, FeatureOptions, ProtocolOptions, RunOptions, compare_methods
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say, table
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.evaluation.retrieval_report import RetrievalReport
    from pipeline.jobs.evaluate_protocol import MethodRun
    from pipeline.settings import Settings


def evaluate(
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            "-p",
            help="fashion-mnist, cifar10-a to cifar10-e, sun-397, nus-wide-21, nus-wide-21-supervised, youtube-faces, "
            "or folder (class folders, with --data-dir).",
        ),
    ] = None,
    index: Annotated[str | None, typer.Option("--index", "-i", help="Evaluate an index by its own labels.")] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", "-m", help="Method, as itq (see docs/models.md); may be repeated.")
    ] = None,
    num_bits: Annotated[
        list[int] | None, typer.Option("--num-bits", "-b", help="Bits per code or table; may be repeated.", min=1)
    ] = None,
    num_tables: Annotated[
        list[int] | None, typer.Option("--num-tables", help="Hash tables of lsh; may be repeated.", min=1)
    ] = None,
    ranking: Annotated[
        str | None,
        typer.Option(
            "--ranking",
            help="hamming, summed, collisions, rerank, asymmetric, symmetric or unquantized; default: by method.",
        ),
    ] = None,
    database: Annotated[
        str,
        typer.Option("--database", help="Codes of the database: encoded, or learned (as the method found them)."),
    ] = "encoded",
    features: Annotated[
        str, typer.Option("--features", "-f", help="hog, hog-pixels, gist, pixels or backbone.")
    ] = "hog",
    feature_set: Annotated[list[str] | None, typer.Option("--feature-set", help="Setting, as side=28.")] = None,
    method_set: Annotated[
        list[str] | None,
        typer.Option("--method-set", help="Setting, as center=true; with --all-methods: of those that have it."),
    ] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Where the protocol's files are.")] = None,
    max_queries: Annotated[
        int | None, typer.Option("--max-queries", help="A seeded sample of the queries.", min=1)
    ] = None,
    max_training: Annotated[
        int | None, typer.Option("--max-training", help="A seeded sample of what is learned from.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws splits, samples, methods and the order of ties.")] = 0,
    device: Annotated[str, typer.Option("--device", help="Where networks learn: auto, cpu or cuda.")] = "auto",
    all_methods: Annotated[
        bool,
        typer.Option(
            "--all-methods",
            help="Train and score every method (or those of --method), 16, 32 and 64 bits, into --out.",
        ),
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", help="With --all-methods: seeds for methods that learn by epochs; default 3.", min=1),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="With --all-methods: folder for results.json, page.html and what is finished."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with curves and rows of pictures.")] = None,
    catalog: options.Catalog = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> int:
    """Measure retrieval quality, of methods on a protocol or of an index on its labels."""
    if (protocol is None) == (index is None):
        raise UsageError("expected either --protocol or --index; see `bitquarry evaluate --help`")
    settings = options.settings_from(config, catalog=catalog)
    asked = ProtocolOptions(str(protocol), data_dir, seed, max_queries, max_training, device)
    learned_on = FeatureOptions(features, options.parse_settings(feature_set, "--feature-set"))
    runs = RunOptions(method, num_bits, num_tables, ranking, method_set, database)
    if all_methods:
        if index is not None or num_tables or ranking or database != "encoded" or html or out is None:
            raise UsageError(
                "--all-methods needs --protocol and --out FOLDER (for results.json, page.html and what is finished), "
                "and goes without --index, --num-tables, --ranking, --database and --html"
            )
        return compare_methods(asked, learned_on, runs, Comparing(out, seeds or 3, as_json))
    if seeds is not None or out is not None:
        raise UsageError("--seeds and --out go with --all-methods")
    if index is not None:
        reports = [_index_report(index, settings, max_queries, seed)]
    else:
        reports = _protocol_reports(asked, learned_on, runs, num_gallery_queries=8 if html else 0)
    if html is not None:
        _write_page(html, reports)
    say(_as_json(reports) if as_json else _as_text(reports, html))
    return EXIT_OK


def _protocol_reports(
    asked: ProtocolOptions, learned_on: FeatureOptions, runs: RunOptions, *, num_gallery_queries: int
) -> list[RetrievalReport]:
    from pipeline.jobs.evaluate_protocol import EvaluateProtocolSettings, evaluate_protocol

    return evaluate_protocol(
        EvaluateProtocolSettings(
            **asked._asdict(),
            features=learned_on.name,
            feature_settings=learned_on.settings,
            runs=_runs(runs),
            num_gallery_queries=num_gallery_queries,
        )
    )


def _runs(asked: RunOptions) -> tuple[MethodRun, ...]:
    """Every method with every width; several tables are a matter of lsh alone."""
    from pipeline.evaluation.code_distances import Ranking
    from pipeline.evaluation.retrieval_report import DatabaseCodes
    from pipeline.jobs.evaluate_protocol import MethodRun

    hasher_settings = options.parse_settings(asked.method_set, "--method-set")
    for flag, value, known in (
        ("--ranking", asked.ranking, get_args(Ranking)),
        ("--database", asked.database, get_args(DatabaseCodes)),
    ):
        if value is not None and value not in known:
            raise UsageError(f"{flag} {value}: expected one of {', '.join(known)}")
    return tuple(
        MethodRun(
            method=method,
            num_bits=bits,
            num_tables=tables,
            ranking=asked.ranking,  # type: ignore[arg-type]
            settings=hasher_settings,
            database=asked.database,  # type: ignore[arg-type]
        )
        for method in asked.methods or ["itq"]
        for tables in asked.num_tables or [1]
        for bits in asked.num_bits or [64]
    )


def _index_report(index: str, settings: Settings, max_queries: int | None, seed: int) -> RetrievalReport:
    from pipeline.jobs.evaluate_index import IndexSampling, IndexToEvaluate, evaluate_index

    cache_dir = Path(settings.search.cache_dir) if settings.search.cache_dir else None
    asked = IndexToEvaluate(catalog=options.catalog_of(settings), index=index, cache_dir=cache_dir)
    sampling = IndexSampling(seed=seed) if max_queries is None else IndexSampling(seed=seed, max_queries=max_queries)
    return evaluate_index(asked, sampling)


def _write_page(path: Path, reports: list[RetrievalReport]) -> None:
    from pipeline.evaluation.report_page import render_report_page

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_report_page(reports), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {path}: {error.strerror}; give a file in a folder that can be written") from None


def _as_json(reports: list[RetrievalReport]) -> str:
    """One object, as promised for one run; a list for several."""
    objects = [report.to_json() for report in reports]
    return json.dumps(objects[0] if len(objects) == 1 else objects)


def _as_text(reports: list[RetrievalReport], html: Path | None) -> str:
    names = ("map_at_10", "ap_all", "precision_at_10", "precision_radius_2", "recall_radius_2")
    rows = [
        (report.title, *(f"{report.metrics[name]:.4f}" if name in report.metrics else "-" for name in names))
        for report in reports
    ]
    lines = [f"{reports[0].run.protocol}: {reports[0].run.protocol_summary}", table(("run", *names), rows)]
    return "\n".join([*lines, *([f"page: {html.resolve()}"] if html else [])])
