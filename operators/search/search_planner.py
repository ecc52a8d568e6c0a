"""`plan_search`: which kind of search is the fastest one for given codes on this machine, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from math import comb
from statistics import median

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting
from operators.search.block_scan import check_k
from operators.search.hamming_flat import check_radius, search_flat
from operators.search.multi_index_table import MAX_NUM_BITS, cut_into_chunks, default_num_chunks
from operators.search.probing_costs import ProbingCosts
from operators.search.search_kinds import LISTS_PER_PROBE

_SPEED_CODES = 2**21
_NUM_SAMPLES = 16
_SCAN_IS_QUICK = 2e-3
_SCAN_IS_BEARABLE = 2e-2
_CLEARLY_FASTER = 2.0
_POSITION_BYTES = 4
_GRAPH_LINK_BYTES = 4 * 2 * 32  # `BinaryHnsw` has 32 links, twice that in the lowest layer
_GRAPH_CODES_SEEN = 64 * 64  # as many codes in view as `BinaryHnsw` keeps, times their links


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """What searches will be like: the `k` nearest, or all within `radius` where it is given, one query at a time.
    `memory_bytes`: what may lie beside the codes, None for any. `exact`: only kinds that miss nothing. Raises
    `InvalidSetting`."""

    k: int = 10
    radius: int | None = None
    memory_bytes: int | None = None
    exact: bool = True
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
    """The scan, unless multi-index hashing is predicted to be twice as fast and its tables have room. Where answers
    need not be exact and neither is quick: a graph, or lists where a graph has no room.

    The machine's speed is measured on the codes; how far probing has to go, on a sample of them as queries. Takes about
    as long as twenty scans. A GPU is for a scan, and taken by name only.
    """
    scan_seconds = len(codes) * measure_seconds_per_code(codes)
    scan = SearchPlan(
        kind="scan",
        predicted_seconds=scan_seconds,
        scan_seconds=scan_seconds,
        reason=f"a scan takes {1000 * scan_seconds:.2f} ms",
    )
    if scan_seconds <= _SCAN_IS_QUICK:
        return _because(scan, "which tables would hardly better")
    if codes.num_bits % 8 or codes.num_bits > MAX_NUM_BITS:
        return _because(scan, f"other kinds take codes of a multiple of 8 bits up to {MAX_NUM_BITS}")
    probing = _plan_probing(codes, request, scan)
    if probing.kind != "scan" or request.exact or scan_seconds <= _SCAN_IS_BEARABLE:
        return probing
    return _plan_approximate(codes, request, probing)


def _plan_probing(codes: BinaryCodes, request: PlanRequest, scan: SearchPlan) -> SearchPlan:
    num_chunks = default_num_chunks(len(codes), codes.num_bits)
    table_bytes = _POSITION_BYTES * len(codes) * num_chunks
    if not _has_room(table_bytes, request):
        return _because(scan, f"tables would take {table_bytes:,} bytes, {request.memory_bytes:,} are free")
    radii = [request.radius] if request.radius is not None else _distances_of_kth(codes, request)
    seconds = median(probing_seconds(len(codes), codes.num_bits, num_chunks, radius) for radius in radii)
    found = f"tables are probed to a radius of {int(median(radii))}, predicted {1000 * seconds:.3g} ms"
    if seconds * _CLEARLY_FASTER > scan.scan_seconds:
        return _because(scan, found)
    return _because(replace(scan, kind="multi_index", predicted_seconds=seconds), found)


def _plan_approximate(codes: BinaryCodes, request: PlanRequest, exact: SearchPlan) -> SearchPlan:
    if find_spec("faiss") is None:
        return _because(exact, "approximate kinds need the extra faiss")
    costs, graph_bytes = ProbingCosts(), _GRAPH_LINK_BYTES * len(codes)
    if _has_room(graph_bytes, request):
        seconds = _GRAPH_CODES_SEEN * costs.candidate
        return _because(replace(exact, kind="binary_hnsw", predicted_seconds=seconds), "answers need not be exact")
    seconds = exact.scan_seconds / LISTS_PER_PROBE
    why = f"answers need not be exact, and a graph would take {graph_bytes:,} bytes, {request.memory_bytes:,} are free"
    return _because(replace(exact, kind="binary_ivf", predicted_seconds=seconds), why)


def _because(plan: SearchPlan, why: str) -> SearchPlan:
    return replace(plan, reason=f"{plan.reason}; {why}")


def _has_room(num_bytes: int, request: PlanRequest) -> bool:
    return request.memory_bytes is None or num_bytes <= request.memory_bytes


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
