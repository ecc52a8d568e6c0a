"""`bitquarry encode` and `bitquarry plan`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.failures import EXIT_DONE_WITH_REJECTS, EXIT_OK
from pipeline.cli.output import say

if TYPE_CHECKING:
    from pipeline.encoding.run_report import RunReport
    from pipeline.jobs.plan_encode import PlannedWork

ModelName = Annotated[str, typer.Option("--model", "-m", help="Model of the catalog: a name, or name@version.")]


def encode(
    collection: options.CollectionName,
    model: ModelName,
    source: options.Source,
    catalog: options.Catalog = None,
    config: options.Config = None,
    source_kind: options.Kind = "auto",
    bytes_column: options.BytesColumn = None,
    uri_column: options.UriColumn = None,
    key_column: options.KeyColumn = None,
    label_column: options.LabelColumn = None,
    carry: options.Carry = None,
    task_items: options.TaskItems = None,
    device: options.Device = None,
    encoders: Annotated[
        int | None, typer.Option("--encoders", help="Encoder actors; default from the cluster.", min=1)
    ] = None,
    ray_address: options.RayAddress = None,
    as_json: options.AsJson = False,
) -> int:
    """Encode a source into a collection. Stopped or killed, run the same command again: it does the rest.

    Exits with 3 when some items could not be encoded: they are in the collection's `rejects` table, with the reason.
    """
    from pipeline.cli.progress import EncodeProgress
    from pipeline.jobs.encode_collection import encode_collection
    from pipeline.jobs.encode_target import EncodeRequest

    settings = options.settings_from(
        config,
        catalog=catalog,
        source__task_items=task_items,
        encode__device=device,
        encode__num_encoders=encoders,
        ray__address=ray_address,
    )
    columns = options.Columns(bytes_column, uri_column, key_column, label_column)
    request = EncodeRequest(
        catalog=options.catalog_of(settings),
        collection=collection,
        model=model,
        source=options.source_settings(settings, source, source_kind, columns, carry),
    )
    with EncodeProgress() as progress:
        report = encode_collection(request, settings, progress)
    say(report.to_json().strip() if as_json else _summary(report, request.catalog))
    return EXIT_DONE_WITH_REJECTS if report.num_rejects else EXIT_OK


def plan(
    collection: options.CollectionName,
    model: ModelName,
    source: options.Source,
    catalog: options.Catalog = None,
    config: options.Config = None,
    source_kind: options.Kind = "auto",
    bytes_column: options.BytesColumn = None,
    uri_column: options.UriColumn = None,
    key_column: options.KeyColumn = None,
    label_column: options.LabelColumn = None,
    carry: options.Carry = None,
    task_items: options.TaskItems = None,
    as_json: options.AsJson = False,
) -> int:
    """Say what `encode` with the same options would do. Writes nothing."""
    from pipeline.jobs.encode_target import EncodeRequest
    from pipeline.jobs.plan_encode import plan_encode

    settings = options.settings_from(config, catalog=catalog, source__task_items=task_items)
    columns = options.Columns(bytes_column, uri_column, key_column, label_column)
    request = EncodeRequest(
        catalog=options.catalog_of(settings),
        collection=collection,
        model=model,
        source=options.source_settings(settings, source, source_kind, columns, carry),
    )
    work = plan_encode(request, settings)
    say(json.dumps(asdict(work)) if as_json else _planned(work))
    return EXIT_OK


def _summary(report: RunReport, catalog: str) -> str:
    lines = [
        f"collection {report.collection}: {report.num_rows:,} encoded, {report.num_rejects:,} rejects, "
        f"{report.num_tasks_committed_before:,} of {report.num_tasks + report.num_tasks_committed_before:,} tasks "
        f"were there already (table version {report.table_version})",
    ]
    if report.num_superseded_tasks:
        lines.append(f"{report.num_superseded_tasks:,} tasks that the source no longer has were removed")
    if report.num_rejects:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.rejects_by_reason.most_common())
        lines.append(f"rejects by reason: {reasons}; see `bitquarry rejects --collection {report.collection}`")
    if report.num_items:
        lines.append(
            f"{report.num_items / report.wall_seconds:,.0f} items/s over {report.wall_seconds:.1f} s "
            f"on {report.device}, encoders: {report.num_encoders}, decoders: {report.num_decoders}; "
            f"bottleneck: {report.bottleneck}"
        )
    return "\n".join([*lines, f"report: {catalog}/reports/{report.job}/run_report.json"])


def _planned(work: PlannedWork) -> str:
    items = (
        "an unknown number of items (tars)"
        if work.num_items_to_encode is None
        else f"{work.num_items_to_encode:,} items"
    )
    lines = [
        f"source {work.source}: {work.num_tasks:,} tasks",
        f"already in collection {work.collection}: "
        f"{work.num_tasks_committed:,} tasks, {work.num_items_committed:,} items",
        f"to encode with {work.model_id}: {work.num_tasks_to_encode:,} tasks, {items}",
    ]
    if work.num_new is not None:
        lines.append(
            f"new {work.num_new:,}, changed {work.num_changed:,}, deleted {work.num_deleted:,}, "
            f"unchanged but in a changed task {work.num_unchanged_encoded_again:,}"
        )
    if work.num_tasks_superseded:
        lines.append(f"tasks to remove, since the source changed: {work.num_tasks_superseded:,}")
    if work.predicted_seconds is not None:
        lines.append(f"predicted time: {work.predicted_seconds:,.0f} s (from {work.predicted_from})")
    else:
        lines.append(f"predicted time: unknown ({work.predicted_from})")
    return "\n".join(lines)
