"""`add_structures`: choose how a generation is searched, and write what that keeps beside the codes of its shards."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.search.scan_options import ONE_THREAD
from operators.search.search_kinds import CodeSearch, NearestQuestion, build_arrays, open_code_search
from operators.search.search_planner import PlanRequest, SearchPlan, measured_seconds, plan_search, sample_queries
from pipeline.shard_index.index_manifest import SearchFacts, ShardEntry
from pipeline.shard_index.shard_structure import write_structure

AUTO = "auto"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class StructureRequest:
    """`kind` of `search_kinds` or `AUTO`, which looks at what searches are `expected` to be like."""

    kind: str
    num_bits: int
    expected: PlanRequest


def add_structures(
    folder: Path, shards: Sequence[ShardEntry], request: StructureRequest
) -> tuple[SearchFacts, tuple[ShardEntry, ...]]:
    """Files beside those of the shards in `folder`, all for one kind of search; the first shard stands for all when it
    is chosen and measured. Memory: the tables of one shard. Raises `InvalidSetting`."""
    plan = None
    if request.kind == AUTO:
        plan = plan_search(_codes(folder, shards[0], request), request.expected)
    kind = plan.kind if plan is not None else request.kind
    measured_ms = None
    written = []
    for shard in shards:
        codes = _codes(folder, shard, request)
        arrays = build_arrays(kind, codes)
        if kind != "scan" and shard is shards[0]:
            measured_ms = 1000 * _seconds_per_query(open_code_search(kind, codes, arrays), codes, request.expected)
        written.append(replace(shard, structure=write_structure(folder, shard.name, kind, arrays)))
    facts = _facts(kind, plan, measured_ms)
    _log.info("search kind %s", facts)
    return facts, tuple(written)


def _facts(kind: str, plan: SearchPlan | None, measured_ms: float | None) -> SearchFacts:
    if plan is None:
        return SearchFacts(kind=kind, measured_ms=measured_ms)
    scan_ms = 1000 * plan.scan_seconds
    return SearchFacts(
        kind=kind,
        reason=plan.reason,
        scan_ms=scan_ms,
        predicted_ms=1000 * plan.predicted_seconds,
        measured_ms=scan_ms if kind == "scan" else measured_ms,
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
    return BinaryCodes(np.load(folder / shard.codes.name, mmap_mode="r", allow_pickle=False), request.num_bits)
