"""`SearchAnswer`: what a caller gets for a batch of queries, and `RankedAnswer`, the same before payload look-up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from operators.ranked_neighbors import RankedNeighbors
from pipeline.records import Coverage


@dataclass(frozen=True, kw_only=True)
class Neighbor:
    """One item of an answer. `rank` counts from 1; `distance` in bits (int), or in the units of the
    lookup tables (float) where codes are quantized. `payload` holds the item's other columns.

    `key`, `uri` and `payload` are empty when the shard that knows them failed after it had ranked (partial answers).
    """

    rank: int
    id: int
    distance: int | float
    key: str
    uri: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedAnswer:
    """Ids and distances of a batch of queries. `failures`: shard name -> reason."""

    ranked: RankedNeighbors
    coverage: Coverage
    failures: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SearchAnswer:
    """Neighbours of each query, nearest first, from exactly one generation of one index.

    `neighbors[i]` belongs to query i and is shorter than `k` when the index holds fewer items. `failures` gives the
    reason for each of `coverage.failed_shards`. `timings_seconds`: "encode", "search" and "payload", as far as done.
    """

    index: str
    generation: str
    model_id: str
    num_bits: int
    k: int
    neighbors: tuple[tuple[Neighbor, ...], ...]
    coverage: Coverage
    failures: Mapping[str, str] = field(default_factory=dict)
    timings_seconds: Mapping[str, float] = field(default_factory=dict)


def cut_answer(answer: SearchAnswer, rows: slice, k: int) -> SearchAnswer:
    """The answer to some of its queries, with at most `k` neighbours each."""
    return replace(answer, k=k, neighbors=tuple(row[:k] for row in answer.neighbors[rows]))
