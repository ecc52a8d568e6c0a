"""The plan job: what `encode` would do, item by item where the source lists items. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.shard_name import ShardName
from pipeline.code_shards.shard_reader import read_code_shard
from pipeline.encoding.encode_order import EncodeOrder
from pipeline.errors import ObjectNotFound
from pipeline.jobs.encode_target import EncodeRequest, open_target
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import join_uri
from pipeline.settings import Settings
from pipeline.sources.folder_source import ListedPart


@dataclass(frozen=True, kw_only=True)
class PlannedWork:
    """What the next `encode` finds. `num_items_to_encode` is None where tars hide how many they hold.

    `num_new`, `num_changed` and `num_deleted` compare keys and version marks of the tasks that changed;
    `num_unchanged_encoded_again` share a task with them. They are None for sources that list files rather than items.
    """

    source: str
    collection: str
    model_id: str
    num_tasks: int
    num_tasks_committed: int
    num_tasks_to_encode: int
    num_tasks_superseded: int
    num_items_committed: int
    num_items_to_encode: int | None
    num_new: int | None
    num_changed: int | None
    num_deleted: int | None
    num_unchanged_encoded_again: int | None
    predicted_seconds: float | None
    predicted_from: str


def plan_encode(request: EncodeRequest, settings: Settings) -> PlannedWork:
    """List the source and compare it with the collection. Raises what `encode_collection` raises before it starts."""
    target = open_target(request, settings)
    plan = target.plan(target.table)
    orders = list(plan.orders(target.source.tasks()))
    superseded = plan.superseded()
    changes = _compare(orders, _old_etags(request, target.table, superseded))
    counts = [order.task.num_items for order in orders]
    num_items = None if None in counts else sum(count or 0 for count in counts)
    rate, predicted_from = _last_rate(request)
    return PlannedWork(
        source=target.source.uri,
        collection=request.collection,
        model_id=target.model.model_id,
        num_tasks=plan.num_tasks,
        num_tasks_committed=plan.num_committed_tasks,
        num_tasks_to_encode=len(orders),
        num_tasks_superseded=len(superseded),
        num_items_committed=plan.num_committed_items,
        num_items_to_encode=num_items,
        num_new=changes["new"] if changes else None,
        num_changed=changes["changed"] if changes else None,
        num_deleted=changes["deleted"] if changes else None,
        num_unchanged_encoded_again=changes["unchanged"] if changes else None,
        predicted_seconds=num_items / rate if rate and num_items is not None else None,
        predicted_from=predicted_from,
    )


def _compare(orders: list[EncodeOrder], old_etags: Mapping[str, str]) -> dict[str, int] | None:
    """Keys of the tasks to encode against those they replace; None when a task does not list its items."""
    counts = {"new": 0, "changed": 0, "unchanged": 0}
    gone = set(old_etags)
    for order in orders:
        if not isinstance(order.task.part, ListedPart):
            return None
        for item in order.task.part.items:
            old = old_etags.get(item.key)
            counts["new" if old is None else "unchanged" if old == item.etag else "changed"] += 1
            gone.discard(item.key)
    return counts | {"deleted": len(gone)}


def _old_etags(request: EncodeRequest, table: CodeTable | None, superseded: tuple[ShardName, ...]) -> dict[str, str]:
    if table is None:
        return {}
    store = open_store(request.catalog)
    etags: dict[str, str] = {}
    for name in superseded:
        uri = join_uri(table.codes_uri, name.file_name)
        shard = read_code_shard(store, uri, table.identity, columns=["key", "source_etag"])
        etags.update(zip(shard["key"].to_pylist(), shard["source_etag"].to_pylist(), strict=True))
    return etags


def _last_rate(request: EncodeRequest) -> tuple[float | None, str]:
    """Items per second of the collection's newest complete run, and where that figure comes from."""
    for report in _reports(request):
        if report.get("state") == "complete" and report["num_items"]:
            return float(report["items_per_second"]), f"{report['job']}: {report['items_per_second']:.0f} items/s"
    return None, "no earlier run of this collection to predict from"


def _reports(request: EncodeRequest) -> Iterator[dict[str, Any]]:
    store = open_store(request.catalog)
    try:
        uris = [info.uri for info in store.list(join_uri(request.catalog, "reports"))]
    except ObjectNotFound:
        return
    mark = f"/encode-{request.collection}-"
    for uri in sorted((uri for uri in uris if mark in uri and uri.endswith("/run_report.json")), reverse=True):
        yield json.loads(store.read(uri))
