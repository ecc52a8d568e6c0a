"""`TaskPart`: what one task covers, and how to read it. One subclass per kind of source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from pipeline.records import FailedItem, FetchedItem


class TaskPart(ABC):
    """A frozen, picklable description of the items of one task. It holds no open file and no bytes.

    What is wrong with one item becomes a `FailedItem` with stage "fetch"; what is wrong with the store (credentials,
    network, server errors) raises `StorageError`.
    """

    @abstractmethod
    def read(self, *, start: int, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        """One record per item, in order, from position `start`."""

    def pick(self, positions: Sequence[int], *, max_bytes: int) -> Iterator[FetchedItem | FailedItem]:
        """The records at the given ascending positions."""
        if not positions:
            return
        wanted = set(positions)
        for position, record in enumerate(self.read(start=positions[0], max_bytes=max_bytes), positions[0]):
            if position in wanted:
                yield record
            if position == positions[-1]:
                return
