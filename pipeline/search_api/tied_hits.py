"""`TiedHits`: where an answer ends among items at one distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.routing.search_answer import Neighbor


@dataclass(frozen=True, kw_only=True)
class TiedHits:
    """`kth_distance`: that of hit k, None when there are fewer. `complete`: no item at that distance was left out."""

    hits: Sequence[Neighbor]
    kth_distance: int | float | None
    complete: bool


def cut_hits(neighbors: Sequence[Neighbor], k: int, exclude_id: int | None) -> TiedHits:
    """The first `k` of at least k + 1 neighbours that were asked for (k + 2 with one to exclude)."""
    hits = neighbors if exclude_id is None else [hit for hit in neighbors if hit.id != exclude_id]
    kth_distance = hits[k - 1].distance if len(hits) >= k else None
    complete = len(hits) <= k or hits[k].distance != kth_distance
    return TiedHits(hits=hits[:k], kth_distance=kth_distance, complete=complete)


def cut_tied(neighbors: Sequence[Neighbor], first: TiedHits, max_hits: int, exclude_id: int | None) -> TiedHits:
    """Everything up to the distance of hit k of `first`, at most `max_hits`, of max_hits + 1 neighbours that were
    asked for (+ 2 with one to exclude)."""
    near = [hit for hit in neighbors if hit.id != exclude_id and hit.distance <= (first.kth_distance or 0)]
    return TiedHits(hits=near[:max_hits], kth_distance=first.kth_distance, complete=len(near) <= max_hits)
