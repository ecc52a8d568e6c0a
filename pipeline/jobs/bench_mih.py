"""The benchmark of multi-index hashing: its tables against the exact scan, by turns, on the same codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import rank_nearest
from operators.search.hamming_flat import HammingScan, check_radius, rank_within
from operators.search.multi_index_hash import MultiIndexHash, ProbedNeighbors
from operators.search.scan_options import ScanOptions
from pipeline.errors import PipelineError
from pipeline.jobs.bench_sizes import check_sizes
from pipeline.jobs.compared_rates import compared_rates
from pipeline.sample_corpus.clustered_codes import clustered_codes, near_codes


@dataclass(frozen=True, kw_only=True)
class BenchMihSettings:
    """Codes of `clustered_codes` of `num_bits`, a multiple of 8, and queries near them. The `k` nearest, or all within
    `radius` where it is given. Raises `UsageError` and `InvalidSetting`."""

    num_bits: int = 64
    num_codes: int = 10_000_000
    num_queries: int = 64
    k: int = 10
    radius: int | None = None
    num_threads: int = 1
    num_repeats: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(
            self.num_bits,
            num_codes=self.num_codes,
            num_queries=self.num_queries,
            k=self.k,
            num_threads=self.num_threads,
            num_repeats=self.num_repeats,
        )
        if self.radius is not None:
            check_radius(self.radius)


@dataclass(frozen=True, kw_only=True)
class BenchMihResult:
    """Seconds of each round. `scanned_share`: of the queries that fell back to the scan; the means are per query."""

    settings: BenchMihSettings
    mih_seconds: tuple[float, ...]
    scan_seconds: tuple[float, ...]
    build_seconds: float
    table_bytes: int
    scanned_share: float
    mean_probes: float
    mean_candidates: float

    def to_json(self) -> dict[str, Any]:
        asked = self.settings
        facts = {"bench": "mih", "unit": "queries/s"} | compared_rates(
            [asked.num_queries / s for s in self.mih_seconds], [asked.num_queries / s for s in self.scan_seconds]
        )
        told = ("build_seconds", "table_bytes", "scanned_share", "mean_probes", "mean_candidates")
        return {
            **facts,
            "comparator_is": "the exact scan",
            **asdict(asked),
            **{name: getattr(self, name) for name in told},
            "table_bytes_per_code": self.table_bytes / asked.num_codes,
        }


def bench_mih(settings: BenchMihSettings, on_progress: Callable[[str], None]) -> BenchMihResult:
    """Raises `PipelineError` when the two give different rankings."""
    on_progress(f"{settings.num_codes:,} codes of {settings.num_bits} bits")
    bench = _MihBench(settings)
    on_progress(f"tables built in {bench.build_seconds:.1f} s")
    probed = bench.check()
    mih, scan = [], []
    for number in range(settings.num_repeats):
        mih.append(_seconds(bench.probe))
        scan.append(_seconds(bench.scan))
        milliseconds = f"tables {1000 * mih[-1]:.2f} ms, scan {1000 * scan[-1]:.1f} ms"
        on_progress(f"round {number + 1} of {settings.num_repeats}: {milliseconds}")
    return BenchMihResult(
        settings=settings,
        mih_seconds=tuple(mih),
        scan_seconds=tuple(scan),
        build_seconds=bench.build_seconds,
        table_bytes=sum(array.nbytes for array in bench.index.arrays().values()),
        scanned_share=float(probed.scanned.mean()),
        mean_probes=float(probed.num_probes.mean()),
        mean_candidates=float(probed.num_candidates.mean()),
    )


class _MihBench:
    def __init__(self, settings: BenchMihSettings) -> None:
        self._settings = settings
        codes = clustered_codes(settings.num_codes, settings.num_bits, seed=settings.seed)
        self._queries = near_codes(codes, settings.num_queries, seed=settings.seed + 1)
        self._ids = np.arange(settings.num_codes)
        self._options = ScanOptions(num_threads=settings.num_threads)
        started = time.perf_counter()
        self.index = MultiIndexHash.build(codes)
        self.build_seconds = time.perf_counter() - started
        self.index.warm_up()

    def probe(self) -> ProbedNeighbors:
        asked, options = self._settings, self._options
        if asked.radius is not None:
            return self.index.probe_radius(self._queries, self._ids, radius=asked.radius, options=options)
        return self.index.probe_nearest(self._queries, self._ids, k=asked.k, options=options)

    def scan(self) -> RankedNeighbors:
        asked, scan = self._settings, HammingScan(self.index.codes, self._queries, self._options)
        if asked.radius is not None:
            return rank_within(*scan.within(asked.radius), self._ids, num_queries=asked.num_queries)
        return rank_nearest(scan, self._ids, k=asked.k)

    def check(self) -> ProbedNeighbors:
        probed, ranked = self.probe(), self.scan()
        for name in ("distances", "ids", "counts"):
            if not np.array_equal(getattr(probed.neighbors, name), getattr(ranked, name)):
                raise PipelineError(f"tables and scan gave different {name}; neither figure means anything")
        return probed


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
