"""`ApproximateAudit`: how often an approximate search finds what the exact scan finds, on items of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import check_k
from operators.search.hamming_flat import search_flat

Search = Callable[[BinaryCodes, int], RankedNeighbors]
"""(queries, k) -> neighbours whose ids are positions of the codes."""


@dataclass(frozen=True, kw_only=True)
class AuditSettings:
    """A sample of `num_queries` items, drawn with `seed`, asks for `k` neighbours. Raises `InvalidSetting`."""

    num_queries: int = 200
    k: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        check_k(self.k)
        if self.num_queries < 1:
            raise InvalidSetting("num_queries", str(self.num_queries), "at least 1")


DEFAULT_AUDIT = AuditSettings()


@dataclass(frozen=True, kw_only=True)
class ApproximateAudit:
    """`recall`: share of the k places of the exact answers that are filled with an item as near as the k-th there (with
    bits many distances tie: which of the tied items came does not count). `self_recall`: share of the queries that
    found their own code. `duplicate_share`: share of all items whose code another item before them has."""

    num_items: int
    num_queries: int
    k: int
    recall: float
    self_recall: float
    duplicate_share: float

    def __str__(self) -> str:
        return (
            f"recall at {self.k}: {self.recall:.1%}, own code found: {self.self_recall:.1%} "
            f"({self.num_queries} of {self.num_items:,} items as queries); duplicate codes: {self.duplicate_share:.1%}"
        )


def audit_search(
    codes: BinaryCodes, search: Search, *, duplicate_share: float, settings: AuditSettings
) -> ApproximateAudit:
    """Compare `search` with the exact scan of `codes` (at least one). A query's own item is not left out."""
    rng = np.random.default_rng(settings.seed)
    num_queries = min(settings.num_queries, len(codes))
    queries = codes[np.sort(rng.choice(len(codes), num_queries, replace=False))]
    exact = search_flat(codes, np.arange(len(codes)), queries, k=settings.k)
    found = search(queries, settings.k)
    farthest = exact.distances[np.arange(num_queries), exact.counts - 1]
    inside = np.arange(found.k)[None, :] < found.counts[:, None]
    num_right = int((inside & (found.distances <= farthest[:, None])).sum())
    return ApproximateAudit(
        num_items=len(codes),
        num_queries=num_queries,
        k=settings.k,
        recall=num_right / int(exact.counts.sum()),
        self_recall=float(((found.counts > 0) & (found.distances[:, 0] == 0)).mean()),
        duplicate_share=duplicate_share,
    )
