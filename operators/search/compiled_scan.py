"""The compiled scans over packed codes: block by block, in as many threads as asked, with the same answer.

Each thread looks at its own range of codes for all queries, so that the codes are read once; what the ranges gave is
joined by (distance, position).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from operators.binary_codes import BinaryCodes, num_code_bytes
from operators.kernels.hamming_numpy import code_words
from operators.kernels.near_masks import CODES_PER_MASK
from operators.kernels.nearest_scan import NO_KEY, NearestScan
from operators.kernels.radius_scan import RadiusScan
from operators.kernels.smallest_k import split_keys
from operators.search.scan_options import ONE_THREAD, ScanOptions

Entries = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]

_BLOCK_WORDS = 2**22
_BLOCK_PAIRS = 2**30  # tens of milliseconds, after which a cancelled scan ends
_STATE_BYTES = 2**28


class NearestKeeper(Protocol):
    """What keeps the k nearest codes of a group of queries: `NearestScan` and `AsymmetricNearest`."""

    def feed(
        self, codes: NDArray[np.unsignedinteger], first_position: int, allowed: NDArray[np.uint64] | None = None
    ) -> None:
        """Codes of `code_words`, in ascending order of position."""

    def sorted_keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Composite keys `(num_queries, at most k)`, `NO_KEY` past a row's count; counts."""


def nearest_entries(
    codes: BinaryCodes, queries: BinaryCodes, *, k: int, below: int | None, options: ScanOptions
) -> Entries:
    """As `PairScan.nearest`, by Hamming distance."""
    words = code_words(queries.packed)

    def new_keeper(rows: slice) -> NearestKeeper:
        return NearestScan(words[rows], k=k, num_bits=codes.num_bits, below=below)

    groups = query_groups(len(queries), NearestScan.state_bytes(k, codes.num_bits))
    keys, counts = nearest_keys(codes, new_keeper, groups, k=k, options=options)
    return *split_keys(keys), counts


def query_groups(num_queries: int, state_bytes: int) -> list[slice]:
    """Queries in groups whose states take at most a quarter of a GiB per thread; at least one group, so that no
    queries have an answer too."""
    group = max(1, _STATE_BYTES // state_bytes)
    return [slice(first, min(first + group, num_queries)) for first in range(0, max(1, num_queries), group)]


def nearest_keys(
    codes: BinaryCodes,
    new_keeper: Callable[[slice], NearestKeeper],
    groups: Sequence[slice],
    *,
    k: int,
    options: ScanOptions,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorted keys `(num_queries, at most k)` and counts of all groups; each thread has a keeper of each group."""
    parts = []
    for rows in groups:
        keepers = [new_keeper(rows) for _ in range(options.num_threads)]
        _feed_all([keeper.feed for keeper in keepers], codes, rows.stop - rows.start, options)
        parts.append(_joined([keeper.sorted_keys() for keeper in keepers], k))
    if len(parts) == 1:
        return parts[0]
    widest = max(keys.shape[1] for keys, _ in parts)
    padded = [np.pad(keys, ((0, 0), (0, widest - keys.shape[1])), constant_values=NO_KEY) for keys, _ in parts]
    return np.concatenate(padded), np.concatenate([counts for _, counts in parts])


def entries_within(
    codes: BinaryCodes, queries: BinaryCodes, *, radius: int, options: ScanOptions
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Queries and composite keys of every code within `radius`, in no order."""
    words = code_words(queries.packed)
    scans = [RadiusScan(words, radius=radius, num_bits=codes.num_bits) for _ in range(options.num_threads)]
    _feed_all([scan.feed for scan in scans], codes, len(queries), options)
    rows, keys = zip(*(scan.entries() for scan in scans), strict=True)
    return np.concatenate(rows), np.concatenate(keys)


def warm_up(num_bits: int) -> None:
    """Compile the scans for codes of that width, or load what an earlier process kept, before a query has to wait."""
    codes = BinaryCodes(np.zeros((CODES_PER_MASK, num_code_bytes(num_bits)), np.uint8), num_bits)
    nearest_entries(codes, codes, k=1, below=None, options=ONE_THREAD)
    entries_within(codes, codes, radius=0, options=ONE_THREAD)


Feed = Callable[[NDArray[np.unsignedinteger], int, NDArray[np.uint64] | None], None]


def _joined(
    parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], k: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys and counts of one group of queries over all ranges of codes."""
    if len(parts) == 1:
        return parts[0]
    keys, counts = zip(*parts, strict=True)
    return np.sort(np.concatenate(keys, axis=1), axis=1)[:, :k], np.minimum(np.sum(counts, axis=0), k)


def _feed_all(feeds: Sequence[Feed], codes: BinaryCodes, num_queries: int, options: ScanOptions) -> None:
    """Give each its range of the codes, all at once. Raises `SearchCancelled`."""
    masks = -(-len(codes) // CODES_PER_MASK)
    bounds = [min(len(codes), CODES_PER_MASK * (masks * part // len(feeds))) for part in range(len(feeds) + 1)]
    ranges = [slice(start, stop) for start, stop in pairwise(bounds)]
    others = [
        _threads(len(feeds) - 1).submit(_feed_range, feed, codes, rows, num_queries, options)
        for feed, rows in zip(feeds[1:], ranges[1:], strict=True)
    ]
    try:
        _feed_range(feeds[0], codes, ranges[0], num_queries, options)
    finally:
        wait(others)
    for done in others:
        done.result()


@cache
def _threads(number: int) -> ThreadPoolExecutor:
    """Kept: to start a thread takes as long as to scan a million codes. Nothing that runs in them waits for another."""
    return ThreadPoolExecutor(number, thread_name_prefix="scan")


def _feed_range(feed: Feed, codes: BinaryCodes, rows: slice, num_queries: int, options: ScanOptions) -> None:
    num_words = -(-codes.packed.shape[1] // 8)
    num_codes = min(_BLOCK_WORDS // num_words, _BLOCK_PAIRS // max(1, num_queries))
    step = max(CODES_PER_MASK, num_codes // CODES_PER_MASK * CODES_PER_MASK)
    for start in range(rows.start, rows.stop, step):
        options.check_cancelled()
        stop = min(start + step, rows.stop)
        feed(code_words(codes.packed[start:stop]), start, _bitmap(options, start, stop))


def _bitmap(options: ScanOptions, start: int, stop: int) -> NDArray[np.uint64] | None:
    if options.allowed is None:
        return None
    return options.allowed.words[start // CODES_PER_MASK : -(-stop // CODES_PER_MASK)]
