"""`LocalGenerations`: generations of one index, searched by threads of this process."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from pipeline.jobs.generation_opening import OpenedIndex, searcher_specs, session_over
from pipeline.routing.local_searchers import local_ports
from pipeline.routing.search_session import SearchSession
from pipeline.shard_index.shard_shelf import ShardShelf


class LocalGenerations:
    """One port per shard; what generations share is opened once. Ends with `close`."""

    def __init__(self, opened: OpenedIndex) -> None:
        self._opened = opened
        self._shelf = ShardShelf()
        self._executor = ThreadPoolExecutor(_num_threads(), thread_name_prefix=f"search {opened.index}")

    def open(self, generation: str, closing: ExitStack) -> SearchSession:
        """As `OpenGeneration` of `LiveIndex`: ready to answer at once. Raises what opening its shards and its model
        raises."""
        opened = self._opened
        manifest = opened.catalog_of_indexes.manifest(opened.index, generation)
        specs = searcher_specs(opened, manifest, [(shard.name,) for shard in manifest.shards])
        closing.callback(self._shelf.forget, generation)
        searchers = list(self._executor.map(self._shelf.searcher, specs))
        for searcher in searchers:
            closing.callback(searcher.stop)
        searchers[0].warm_up()
        return session_over(opened, manifest, local_ports(searchers, self._executor))

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _num_threads() -> int:
    """Searches and look-ups of two passes, without waiting for one another on a small machine."""
    return max(4, os.cpu_count() or 1)
