"""`build_generation`: rows in id order become shards, published by the manifest that is written last."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pyarrow as pa

from operators.hashers.hasher import CodeKind
from operators.search.search_kinds import SEARCH_KINDS
from operators.search.search_planner import PlanRequest
from pipeline.errors import UsageError
from pipeline.object_store.object_store import ObjectStore
from pipeline.shard_index.generation_draft import BUILDER, draft_generation
from pipeline.shard_index.index_manifest import IndexManifest, shard_name
from pipeline.shard_index.index_name import check_name
from pipeline.shard_index.search_structures import AUTO, StructureRequest, add_structures
from pipeline.shard_index.shard_rows import RowOrigin, ShardCut, write_shards

_log = logging.getLogger(__name__)

MAX_SHARDS = 4096


@dataclass(frozen=True, kw_only=True)
class BuildPlan:
    """What to build. `num_rows` is what the table's log promises; fewer rows than shards make fewer shards.
    `search_kind`: a name of `search_kinds`, or "auto": what suits the `expected` searches best.

    Raises `UsageError` for a bad name, a `num_shards` outside 1 to `MAX_SHARDS`, and a collection without rows.
    """

    catalog: str
    index: str
    collection: str
    table_version: int
    model_id: str
    model_fingerprint: str
    num_bits: int
    num_rows: int
    num_shards: int
    code_kind: CodeKind = "binary"
    search_kind: str = "scan"
    expected: PlanRequest = field(default_factory=PlanRequest)

    def __post_init__(self) -> None:
        check_name("index", self.index)
        if isinstance(self.num_shards, bool) or not isinstance(self.num_shards, int):
            raise UsageError(f"num_shards = {self.num_shards!r}: expected a whole number")
        if self.search_kind not in (*SEARCH_KINDS, AUTO):
            raise UsageError(f"kind = {self.search_kind!r}: expected {AUTO} or one of {', '.join(SEARCH_KINDS)}")
        if self.search_kind not in ("scan", AUTO) and self.code_kind != "binary":
            raise UsageError(f"kind = {self.search_kind!r}: codes of collection {self.collection} are {self.code_kind}")
        if not 1 <= self.num_shards <= MAX_SHARDS:
            raise UsageError(f"num_shards = {self.num_shards}: expected 1 to {MAX_SHARDS}")
        if self.num_rows < 1:
            raise UsageError(
                f"collection {self.collection} has no rows at version {self.table_version}; "
                "encode something into it first"
            )

    @property
    def cuts(self) -> list[ShardCut]:
        """The shards, as even as can be."""
        num_shards = min(self.num_shards, self.num_rows)
        bounds = [self.num_rows * number // num_shards for number in range(num_shards + 1)]
        return [
            ShardCut(name=shard_name(number, num_shards), first_row=start, num_rows=stop - start)
            for number, (start, stop) in enumerate(pairwise(bounds))
        ]


def build_generation(store: ObjectStore, plan: BuildPlan, tables: Iterable[pa.Table]) -> IndexManifest:
    """Write and publish one generation. `tables` hold `id`, `code` and payload columns, ids ascending throughout.

    Memory: one input table and one payload batch. Nothing is visible before the manifest is there; an error leaves no
    generation. Raises `InvalidSetting` for a kind of search whose library is missing, `CorruptFile` for repeated ids or
    another number of rows than planned, `StorageError`.
    """
    if plan.num_shards > plan.num_rows:
        _log.warning("index %s: %d rows make %d shards", plan.index, plan.num_rows, plan.num_rows)
    origin = RowOrigin(collection=plan.collection, table_version=plan.table_version, num_bits=plan.num_bits)
    with draft_generation(store, plan.catalog, plan.index, plan.table_version) as draft:
        plain = tuple(write_shards(draft.folder, plan.cuts, origin, tables))
        search, shards = add_structures(draft.folder, plain, _structure_request(plan))
        manifest = IndexManifest(
            index=plan.index,
            generation=draft.name,
            collection=plan.collection,
            table_version=plan.table_version,
            model_id=plan.model_id,
            model_fingerprint=plan.model_fingerprint,
            num_bits=plan.num_bits,
            code_kind=plan.code_kind,
            search=search,
            num_rows=plan.num_rows,
            created_at=draft.created_at,
            builder=BUILDER,
            shards=shards,
        )
        draft.publish(manifest)
    return manifest


def _structure_request(plan: BuildPlan) -> StructureRequest:
    request = StructureRequest(kind=plan.search_kind, num_bits=plan.num_bits, expected=plan.expected)
    if plan.code_kind == "binary" or plan.search_kind != AUTO:
        return request
    return replace(request, kind="scan", reason="quantized codes are compared by lookup tables, which only a scan does")
