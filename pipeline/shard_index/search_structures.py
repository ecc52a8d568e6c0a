"""`add_structures`: choose how a generation is searched, and write what that keeps beside the codes of its shards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from operators.binary_codes import BinaryCodes
from operators.search.scan_options import ONE_THREAD
from operators.search.search_kinds import CodeSearch, NearestQuestion, build_arrays, open_code_search
from operators.search.search_planner import PlanRequest, SearchPlan, measured_seconds, plan_search, sample_queries
from pipeline.shard_index.index_manifest import SearchFacts, ShardEntry
from pipeline.shard_index.mapped_array import map_array
from pipeline.shard_index.shard_structure import write_structure

AUTO = "auto"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StructureRequest:
    """`kind` of `search_kinds` or `AUTO`, which looks at what searches are `expected` to be like. `reason` for a kind
    that is named."""

    kind: str
    num_bits: int
    expected: PlanRequest
    reason: str = "asked for"


def add_structures(
    folder: Path, shards: Sequence[ShardEntry], request: StructureRequest
) -> tuple[SearchFacts, tuple[ShardEntry, ...]]:
    """Files beside those of the shards in `folder`, all for one kind of search; the first shard stands for all when it
    is chosen and measured. Memory: the tables of one shard. Raises `InvalidSetting`."""
    plan = None
    if request.kind == AUTO:
        plan = plan_search(_codes(folder, shards[0], request), _with_memory(request.expected, len(shards)))
    kind = plan.kind if plan is not None else request.kind
    facts = _facts(request, plan)
    written = []
    for shard in shards:
        codes = _codes(folder, shard, request)
        arrays = build_arrays(kind, codes)
        if kind != "scan" and shard is shards[0]:
            search = open_code_search(kind, codes, arrays)
            measured_ms = 1000 * _seconds_per_query(search, codes, request.expected)
            facts = replace(facts, measured_ms=measured_ms, audit=search.audit())
        written.append(replace(shard, structure=write_structure(folder, shard.name, kind, arrays)))
    _log.info("search kind %s", facts)
    return facts, tuple(written)


def _with_memory(expected: PlanRequest, num_shards: int) -> PlanRequest:
    """Half of what is free here is for all shards together, unless more is known."""
    if expected.memory_bytes is not None:
        return expected
    return replace(expected, memory_bytes=psutil.virtual_memory().available // 2 // num_shards)


def _facts(request: StructureRequest, plan: SearchPlan | None) -> SearchFacts:
    if plan is None:
        return SearchFacts(kind=request.kind, reason=request.reason)
    scan_ms = 1000 * plan.scan_seconds
    return SearchFacts(
        kind=plan.kind,
        reason=plan.reason,
        scan_ms=scan_ms,
        predicted_ms=1000 * plan.predicted_seconds,
        measured_ms=scan_ms if plan.kind == "scan" else None,
    )


def _seconds_per_query(search: CodeSearch, codes: BinaryCodes, expected: PlanRequest) -> float:
    """The median over a sample of the codes, asked one by one."""
    ids = np.arange(len(codes))
    below = None if expected.radius is None else expected.radius + 1

    def ask(query: BinaryCodes) -> None:
        search.nearest(NearestQuestion(queries=query, ids=ids, k=expected.k, below=below, options=ONE_THREAD))

    samples = sample_queries(codes, expected.seed)
    ask(samples[:1])  # compiles
    return median(measured_seconds(partial(ask, samples[row : row + 1])) for row in range(len(samples)))


def _codes(folder: Path, shard: ShardEntry, request: StructureRequest) -> BinaryCodes:
    return BinaryCodes(map_array(folder / shard.codes.name), request.num_bits)
