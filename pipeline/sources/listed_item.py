"""`ListedItem`: one file as a listing saw it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedItem:
    """One listed file. `key` is its path below the source, verbatim; `uri` leads to the bytes as the store names it;
    `etag` is the store's version mark. `fault` is the reason for which it cannot be fetched at all, else ""."""

    key: str
    uri: str
    size_bytes: int
    etag: str
    label: str | None = None
    fault: str = ""
