"""`BoundedThreads`: blocking work off the event loop, with a queue that has an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from pipeline.errors import ServiceOverloaded

Result = TypeVar("Result")


class BoundedThreads:
    """At most `num_threads` calls run and `max_waiting` wait. For one event loop."""

    def __init__(self, name: str, num_threads: int, max_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(num_threads, thread_name_prefix=name)
        self._max_calls = num_threads + max_waiting
        self._max_waiting = max_waiting
        self._num_calls = 0

    async def run(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Its result. Raises what it raises, and `ServiceOverloaded` when too many wait."""
        if self._num_calls >= self._max_calls:
            raise ServiceOverloaded(self._max_waiting, self._max_waiting)
        self._num_calls += 1
        future = self._executor.submit(call, *arguments)
        loop = asyncio.get_running_loop()
        # A caller who is gone does not make room before the thread is free.
        future.add_done_callback(lambda _: _in_loop(loop, self._release))
        return await asyncio.wrap_future(future)

    def _release(self) -> None:
        self._num_calls -= 1

    def close(self) -> None:
        """Calls that run may end; those that wait are given up."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def _in_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
