"""`ObjectStore`: the few operations on files that the pipeline needs, alike for a local folder and for S3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One listed object. `etag` changes whenever the content does (S3 ETag; size and mtime_ns for local files)."""

    uri: str
    size_bytes: int
    etag: str


class ObjectStore(ABC):
    """Reads and writes whole objects by URI. A reader sees a whole object or none.

    Stores pickle (they hold no open connection across processes) and carry no secrets. Every method raises
    `ObjectNotFound` for a missing object or bucket and `StorageError` for anything else the store refused.
    """

    @abstractmethod
    def read(self, uri: str, *, if_etag: str | None = None, max_bytes: int | None = None) -> bytes:
        """The whole object, checked to be as long as announced. `if_etag`: raise `StorageError` ("changed") when the
        object is no longer that version. `max_bytes`: raise `MediaTooLarge` before downloading a larger one."""

    @abstractmethod
    def write(self, uri: str, data: bytes) -> None:
        """Create or replace, atomically."""

    @abstractmethod
    def create(self, uri: str, data: bytes) -> None:
        """Create; raises `ObjectExists` when another writer's object is there. A lost reply is settled by reading back:
        when the stored bytes equal `data`, the write is ours."""

    @abstractmethod
    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        """Every object below the prefix (as a folder), by ascending key. A failed page raises; it never ends the list.
        A missing folder or bucket raises `ObjectNotFound`; an empty one lists nothing."""

    @abstractmethod
    def info(self, uri: str) -> ObjectInfo: ...

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Remove; a missing object is no error."""
