"""`Source` and `SourceTask`: the contract that every kind of source follows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.sources.task_part import TaskPart


@dataclass(frozen=True, kw_only=True)
class SourceTask:
    """A piece of a source that is encoded and committed as one.

    `digest`: 32 hex digits over the keys, sizes and ETags of what it covers and the columns asked for: the same content
    gives the same digest in any process. `num_items`: how many records reading gives; None for tars, which are counted
    only by reading. Pickles.
    """

    source_uri: str
    digest: str
    num_items: int | None
    part: TaskPart


class Source(ABC):
    """A listed collection of pictures. Pickles."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where it is: an absolute path or an `s3://` URI."""

    @abstractmethod
    def carried_types(self) -> dict[str, str]:
        """Name to type ("string", "int64", "double", "bool") of the columns carried along, in the order asked for."""

    @abstractmethod
    def tasks(self) -> Iterator[SourceTask]:
        """The tasks, in the same order on every call; memory grows with one task and one folder, not with the source.

        Raises `EmptySource` when there is nothing to encode, `SourceNotFound` when the source is gone, `SourceError` or
        `StorageError` when listing fails: a failed listing never looks like a short one.
        """
