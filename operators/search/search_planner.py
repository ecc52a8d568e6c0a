"""`plan_search`: which exact kind of search is the faster one for given codes on this machine, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from statistics import median

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.search.block_scan import check_k
from operators.search.hamming_flat import check_radius, search_flat
from operators.search.multi_index_table import MAX_NUM_BITS, cut_into_chunks, default_num_chunks
from operators.search.probing_costs import ProbingCosts

_SPEED_CODES = 2**21
_NUM_SAMPLES = 16
_SCAN_IS_QUICK = 2e-3
_CLEARLY_FASTER = 2.0
_POSITION_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What searches will be like: the `k` nearest, or all within `radius` where it is given, one query at a time.
    `memory_bytes`: what may lie beside the codes, None for any. Raises `InvalidSetting`."""

    k: int = 10
    radius: int | None = None
    memory_bytes: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_k(self.k)
        if self.radius is not None:
            check_radius(self.radius)
        if self.memory_bytes is not None and self.memory_bytes < 0:
            raise InvalidSetting("memory_bytes", str(self.memory_bytes), "at least 0")


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """`kind` of `search_kinds`. `predicted_seconds` of one query by that kind; `scan_seconds` by the scan."""

    kind: str
    predicted_seconds: float
    scan_seconds: float
    reason: str


def plan_search(codes: BinaryCodes, request: PlanRequest) -> SearchPlan:
    """The scan, unless multi-index hashing is predicted to be twice as fast and its tables have room.

    The machine's speed is measured on the codes; how far probing has to go, on a sample of them as queries. Takes about
    as long as twenty scans.
    """
    scan_seconds = len(codes) * measure_seconds_per_code(codes)
    milliseconds = f"a scan takes {1000 * scan_seconds:.2f} ms"

    def scan(reason: str) -> SearchPlan:
        return SearchPlan(kind="scan", predicted_seconds=scan_seconds, scan_seconds=scan_seconds, reason=reason)

    if codes.num_bits % 8 or codes.num_bits > MAX_NUM_BITS:
        return scan(f"{milliseconds}; tables take codes of a multiple of 8 bits up to {MAX_NUM_BITS}")
    if scan_seconds <= _SCAN_IS_QUICK:
        return scan(f"{milliseconds}, which tables would hardly better")
    num_chunks = default_num_chunks(len(codes), codes.num_bits)
    table_bytes = _POSITION_BYTES * len(codes) * num_chunks
    if request.memory_bytes is not None and table_bytes > request.memory_bytes:
        return scan(f"{milliseconds}; tables would take {table_bytes:,} bytes, {request.memory_bytes:,} are free")
    radii = [request.radius] if request.radius is not None else _distances_of_kth(codes, request)
    probing = median(probing_seconds(len(codes), codes.num_bits, num_chunks, radius) for radius in radii)
    found = f"tables are probed to a radius of {int(median(radii))}, predicted {1000 * probing:.3g} ms; {milliseconds}"
    if probing * _CLEARLY_FASTER > scan_seconds:
        return scan(found)
    return SearchPlan(kind="multi_index", predicted_seconds=probing, scan_seconds=scan_seconds, reason=found)


def probing_seconds(num_codes: int, num_bits: int, num_chunks: int, radius: int) -> float:
    """Predicted for one query, were the chunks of codes spread evenly: real ones crowd, and take longer.

    With m chunks, the first `radius` mod m + 1 are probed to radius // m, the others to one less (Norouzi et al.,
    section 3).
    """
    costs = ProbingCosts()
    deep, rest = divmod(radius, num_chunks)
    seconds = 0.0
    for chunk, bits in enumerate(cut_into_chunks(num_bits, num_chunks).tolist()):
        reach = deep if chunk <= rest else deep - 1
        num_probes = sum(comb(bits, flips) for flips in range(min(reach, bits) + 1))
        seconds += num_probes * (costs.probe + costs.candidate * num_codes / 2**bits)
    return seconds


def measure_seconds_per_code(codes: BinaryCodes) -> float:
    """Of the scan for one query, on up to two million of the codes, the best of three."""
    part = codes[: min(len(codes), _SPEED_CODES)]
    ids, query = np.arange(len(part)), part[:1]
    search_flat(part, ids, query, k=1)
    return min(measured_seconds(lambda: search_flat(part, ids, query, k=1)) for _ in range(3)) / len(part)


def sample_queries(codes: BinaryCodes, seed: int) -> BinaryCodes:
    """A few of the codes, drawn with `seed`."""
    rows = np.random.default_rng(seed).choice(len(codes), min(_NUM_SAMPLES, len(codes)), replace=False)
    return codes[np.sort(rows)]


def measured_seconds(action: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _distances_of_kth(codes: BinaryCodes, request: PlanRequest) -> list[int]:
    """How far the k-th other code is from codes of the sample."""
    queries = sample_queries(codes, request.seed)
    ranked = search_flat(codes, np.arange(len(codes)), queries, k=min(request.k + 1, len(codes)))
    return [int(distance) for distance in ranked.distances[:, -1]]
