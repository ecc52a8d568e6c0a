"""`bitquarry dedup`."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_OK
from pipeline.cli.output import say

if TYPE_CHECKING:
    from pipeline.jobs.dedup_collection import DedupReport


def dedup(
    index: options.IndexName,
    output: Annotated[
        str, typer.Option("--output", "-o", help="Folder for pairs.parquet, clusters.parquet and review.html.")
    ],
    radius: Annotated[int, typer.Option("--radius", "-r", help="Bits in which near duplicates may differ.")] = 3,
    clusters: Annotated[
        str,
        typer.Option("--clusters", help="star (all within the radius of one item) or components (chains of items)."),
    ] = "star",
    keep: Annotated[
        str,
        typer.Option(
            "--keep", help="Which item of a cluster stays: first, largest (pixels), or a column, whose highest value."
        ),
    ] = "first",
    against: Annotated[
        str | None, typer.Option("--against", help="Another index: what is near one of its items goes.")
    ] = None,
    alias: Annotated[str, typer.Option("--alias", "-a", help="Which generation of the index is looked at.")] = "live",
    seed: Annotated[int, typer.Option("--seed", help="Draws the clusters that review.html shows.", min=0)] = 0,
    catalog: options.Catalog = None,
    config: options.Config = None,
    searchers: Annotated[
        int | None,
        typer.Option("--searchers", help="Ray tasks at a time, two shards each; 0 joins in this process.", min=0),
    ] = None,
    as_json: options.AsJson = False,
) -> int:
    """Find near duplicates and say which to keep. It removes nothing: look at review.html, use clusters.parquet."""
    from pipeline.jobs.dedup_collection import DedupSettings, dedup_collection

    settings = options.settings_from(config, catalog=catalog, search__num_searchers=searchers)
    search = settings.search
    kind: Any = clusters  # checked by the settings
    asked = DedupSettings(
        catalog=options.catalog_of(settings),
        index=index,
        output=output,
        radius=radius,
        clusters=kind,
        keep=keep,
        against=against,
        alias=alias,
        num_searchers=search.num_searchers,
        cache_dir=Path(search.cache_dir) if search.cache_dir else None,
        seed=seed,
    )
    with ExitStack() as stack:
        if search.num_searchers:
            from pipeline.actors.ray_session import ray_session

            stack.enter_context(ray_session(settings.ray))
        report = dedup_collection(asked)
    say(json.dumps(asdict(report)) if as_json else _summary(report, output))
    return EXIT_OK


def _summary(report: DedupReport, output: str) -> str:
    return (
        f"index {report.index}: {report.num_items:,} items, {report.num_pairs:,} pairs, "
        f"{report.num_clusters:,} clusters, {report.num_kept:,} kept, {report.num_removed:,} to remove, "
        f"{report.seconds:.1f} s: {output}"
    )
