"""Searchers in threads of this process: one port per shard, so that the kernels of several shards run at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from typing import Any

from pipeline.routing.searcher_port import SearcherPort
from pipeline.shard_index.shard_searcher import ShardSearcher


def local_ports(searchers: Iterable[ShardSearcher], executor: Executor) -> list[SearcherPort]:
    """One port per searcher, run by `executor`."""
    return [
        SearcherPort(
            name=f"thread {number}",
            shard_names=searcher.shard_names,
            search=_in_thread(executor, searcher.search),
            payload=_in_thread(executor, searcher.payload),
            codes_of=_in_thread(executor, searcher.codes_of),
            ids_of_key=_in_thread(executor, searcher.ids_of_key),
        )
        for number, searcher in enumerate(searchers)
    ]


def _in_thread(executor: Executor, method: Callable[..., Any]) -> Callable[..., Future[Any]]:
    return lambda *arguments: executor.submit(method, *arguments)
