"""`SearcherPort`: a searcher as the router sees it, wherever it runs: four calls that return futures."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.search_queries import SearchQueries
from pipeline.shard_index.search_scope import SearchScope


@dataclass(frozen=True, kw_only=True)
class SearcherPort:
    """The calls are those of `ShardSearcher`; each starts the work and returns at once."""

    name: str
    shard_names: tuple[str, ...]
    search: Callable[[SearchQueries, int, SearchScope], Future[RankedNeighbors]]
    payload: Callable[[NDArray[np.int64]], Future[pa.Table]]
    codes_of: Callable[[NDArray[np.int64]], Future[BinaryCodes]]
    ids_of_key: Callable[[str], Future[list[int]]]
