"""Frozen values that cross from one step of the pipeline to the next. They import none of the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class FetchedItem:
    """One picture as its source gave it.

    `key` is unique within the source; `uri` leads back to the bytes; `etag` is the source's own version mark (an ETag,
    or size and modification time, or a digest); `label` is the class, if the source knows one; `carried` holds the
    columns that the user asked to carry along.
    """

    key: str
    uri: str
    data: bytes
    etag: str
    label: str | None = None
    carried: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FailedItem:
    """One item that could not be encoded.

    `stage` is "fetch", "decode" or "encode"; `reason` a short stable word such as "not_found", "too_large",
    "undecodable", "non_finite"; `detail` a sentence for people.
    """

    key: str
    uri: str
    stage: str
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of an index an answer rests on, in rows and shards."""

    rows_searched: int
    rows_total: int
    failed_shards: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        return self.rows_searched / self.rows_total if self.rows_total else 1.0

    @property
    def degraded(self) -> bool:
        return self.rows_searched < self.rows_total
