"""Wait for several futures until a deadline; a failed or late one becomes a reason, never a hang."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.errors import UsageError

Reply = TypeVar("Reply")


@dataclass(frozen=True)
class Deadline:
    """A moment of the monotonic clock that one request may not outlast."""

    at_seconds: float
    allowed_seconds: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds, seconds)

    @property
    def left_seconds(self) -> float:
        return max(0.0, self.at_seconds - time.monotonic())


@dataclass(frozen=True)
class Gathered(Generic[Reply]):
    """Replies and reasons of failure, by the name of who was asked."""

    replies: Mapping[str, Reply]
    failures: Mapping[str, str]


def gather(futures: Mapping[str, Future[Reply]], deadline: Deadline) -> Gathered[Reply]:
    """Every reply that is there by the deadline. A `UsageError` is the caller's own mistake and is raised as it is."""
    wait(futures.values(), timeout=deadline.left_seconds)
    replies, failures = {}, {}
    for name, future in futures.items():
        if not future.done():
            future.cancel()
            failures[name] = f"no answer within {deadline.allowed_seconds:g} s"
            continue
        error = future.exception()
        if isinstance(error, UsageError):
            raise error
        if error is not None:
            failures[name] = f"{type(error).__name__}: {error}"
        else:
            replies[name] = future.result()
    return Gathered(replies, failures)
