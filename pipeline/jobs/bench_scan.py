"""The scan benchmark: the exact Hamming scan against Faiss `IndexBinaryFlat`, by turns, on the same codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.kernels.memory_reading import read_seconds
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import rank_nearest
from operators.search.compiled_scan import warm_up
from operators.search.faiss_extra import load_faiss
from operators.search.hamming_flat import HammingScan
from operators.search.scan_options import ScanOptions
from pipeline.errors import PipelineError, UsageError
from pipeline.jobs.bench_sizes import check_sizes
from pipeline.jobs.compared_rates import compared_rates

_CODE_BLOCK_BYTES = 2**27
# The threads of Faiss (OpenMP) spin for a while after a search, on the cores that the scan is to run on.
_REST_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class BenchScanSettings:
    """Random codes of `num_bits`, a multiple of 8. Both libraries get `num_threads`. Raises `UsageError`."""

    num_bits: int = 64
    num_codes: int = 10_000_000
    num_queries: int = 64
    k: int = 10
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
        if self.k > self.num_codes:
            raise UsageError(f"k = {self.k}: expected at most num_codes = {self.num_codes}")


@dataclass(frozen=True, kw_only=True)
class BenchScanResult:
    """Seconds of each round. `warm_up_seconds`: until the first query could be answered (compiling, or loading what
    an earlier process compiled). `read_seconds`: one thread's plain sums over the codes."""

    settings: BenchScanSettings
    scan_seconds: tuple[float, ...]
    faiss_seconds: tuple[float, ...]
    read_seconds: tuple[float, ...]
    warm_up_seconds: float
    faiss_version: str

    def to_json(self) -> dict[str, Any]:
        """`figure`: distances per second in thousands of millions. `read_share`: of the bytes per second that one
        thread reads, those of codes that the scan passes."""
        asked = self.settings
        pairs = asked.num_codes * asked.num_queries / 1e9
        gigabytes = asked.num_codes * asked.num_bits / 8e9
        read = gigabytes / median(self.read_seconds)
        passed = gigabytes / median(self.scan_seconds)
        return {
            "bench": "scan",
            "unit": "G distances/s",
            **compared_rates([pairs / s for s in self.scan_seconds], [pairs / s for s in self.faiss_seconds]),
            "comparator_is": f"Faiss {self.faiss_version} IndexBinaryFlat",
            **asdict(asked),
            "queries_per_second": asked.num_queries / median(self.scan_seconds),
            "scan_gigabytes_per_second": passed,
            "read_gigabytes_per_second": read,
            "read_share": passed / read,
            "warm_up_seconds": self.warm_up_seconds,
        }


def bench_scan(settings: BenchScanSettings, on_progress: Callable[[str], None]) -> BenchScanResult:
    """Raises `PipelineError` when the two give different distances, `InvalidSetting` where Faiss is not installed."""
    faiss = load_faiss("comparator")
    started = time.perf_counter()
    warm_up(settings.num_bits)
    warm_up_seconds = time.perf_counter() - started
    on_progress(f"{settings.num_codes:,} codes of {settings.num_bits} bits")
    bench = _ScanBench(settings, faiss)
    bench.check()
    scan, theirs = [], []
    for number in range(settings.num_repeats):
        scan.append(_seconds(bench.scan))
        theirs.append(_seconds(bench.faiss_search))
        time.sleep(_REST_SECONDS)
        milliseconds = f"scan {1000 * scan[-1]:.1f} ms, Faiss {1000 * theirs[-1]:.1f} ms"
        on_progress(f"round {number + 1} of {settings.num_repeats}: {milliseconds}")
    words = bench.codes.packed.reshape(-1)
    read = read_seconds(words[: len(words) // 8 * 8].view(np.uint64), settings.num_repeats)
    return BenchScanResult(
        settings=settings,
        scan_seconds=tuple(scan),
        faiss_seconds=tuple(theirs),
        read_seconds=tuple(read),
        warm_up_seconds=warm_up_seconds,
        faiss_version=faiss.__version__,
    )


class _ScanBench:
    def __init__(self, settings: BenchScanSettings, faiss: Any) -> None:
        self._settings = settings
        faiss.omp_set_num_threads(settings.num_threads)
        rng = np.random.default_rng(settings.seed)
        self.codes = random_codes(rng, settings.num_codes, settings.num_bits)
        self._queries = random_codes(rng, settings.num_queries, settings.num_bits)
        self._ids = np.arange(settings.num_codes)
        self._options = ScanOptions(num_threads=settings.num_threads)
        self._index = faiss.IndexBinaryFlat(settings.num_bits)
        self._index.add(self.codes.packed)

    def scan(self) -> RankedNeighbors:
        """As a searcher does it, ranking included."""
        return rank_nearest(HammingScan(self.codes, self._queries, self._options), self._ids, k=self._settings.k)

    def faiss_search(self) -> np.ndarray:
        """Distances int32 `(num_queries, k)`."""
        distances: np.ndarray = self._index.search(self._queries.packed, self._settings.k)[0]
        return distances

    def check(self) -> None:
        if not np.array_equal(self.scan().distances, self.faiss_search()):
            raise PipelineError("the scan and Faiss gave different distances; neither figure means anything")


def random_codes(rng: np.random.Generator, num_codes: int, num_bits: int) -> BinaryCodes:
    """Codes of independent even bits, made in blocks: a billion must not need its memory twice."""
    packed = np.empty((num_codes, num_bits // 8), np.uint8)
    step = max(1, _CODE_BLOCK_BYTES // packed.shape[1])
    for start in range(0, num_codes, step):
        block = packed[start : start + step]
        block[:] = np.frombuffer(rng.bytes(block.size), np.uint8).reshape(block.shape)
    return BinaryCodes(packed, num_bits)


def _seconds(action: Callable[[], object]) -> float:
    """Of the second of two calls: after a rest, the first finds a slow processor and other things in its caches."""
    action()
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
