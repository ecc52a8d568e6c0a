"""The exact Hamming scan against Faiss `IndexBinaryFlat`, by turns, in the same process: `bitquarry bench scan`, many
times.

    python -m benchmarks.bench_hamming_scan [--codes 10000000]

Random codes of 64, 128, 256 and 512 bits; 1 and 64 queries; k = 10 and 100; one thread, and two. Before the clock runs,
both give the same distances. `read_share`: of the bytes per second that one thread reads when it sums the same codes,
those of codes that the scan passes for one query. `avx2`: the same with instructions that leave AVX-512 out, Faiss as
it is. `first_call` is the first search of a process that has to compile, `next_call` that of one that finds the machine
code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.result_file import Measurement, measured_here
from pipeline.jobs.bench_scan import BenchScanResult, BenchScanSettings, bench_scan

# numba takes the features of the machine at hand for whatever processor it is told, unless they are named too.
AVX2_ONLY = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+bmi,+bmi2,+fma,+lzcnt,+movbe,+popcnt,+sse4.1,+sse4.2,+ssse3",
}
_FIRST_SCAN = """
import time
import numpy as np
from operators.binary_codes import BinaryCodes
from operators.search.hamming_flat import search_flat
codes = BinaryCodes(np.zeros((5_000_000, 8), np.uint8), 64)
ids = np.arange(len(codes))
started = time.perf_counter()
search_flat(codes, ids, codes[:1], k=10)
print(time.perf_counter() - started)
"""


@dataclass(frozen=True, kw_only=True)
class ScanRun:
    """Codes of `num_codes`; those of more than 64 bits are fewer, so that all take as many bytes."""

    num_codes: int = 10_000_000
    num_bits: tuple[int, ...] = (64, 128, 256, 512)
    num_queries: tuple[int, ...] = (1, 64)
    k: tuple[int, ...] = (10, 100)
    num_threads: tuple[int, ...] = (1, 2)
    num_repeats: int = 5

    def settings(self, num_bits: int, num_queries: int, k: int, num_threads: int) -> BenchScanSettings:
        return BenchScanSettings(
            num_bits=num_bits,
            num_codes=self.num_codes * 64 // num_bits,
            num_queries=num_queries,
            k=k,
            num_threads=num_threads,
            num_repeats=self.num_repeats,
        )

    def every(self) -> dict[str, BenchScanSettings]:
        """By name. Two threads share the scan of 64 bits only."""
        return {
            f"b{bits}.q{queries}.k{k}.t{threads}": self.settings(bits, queries, k, threads)
            for bits in self.num_bits
            for queries in self.num_queries
            for k in self.k
            for threads in self.num_threads
            if threads == 1 or bits == 64
        }


def measure(run: ScanRun) -> dict[str, Measurement]:
    results: dict[str, Measurement] = {}
    for name, settings in run.every().items():
        results |= _measured(name, bench_scan(settings, lambda line: None))
        print(name, {key.rpartition(".")[2]: round(value.median, 3) for key, value in results.items() if name in key})
    for queries in run.num_queries:
        one, two = (results[f"b64.q{queries}.k10.t{threads}.scan"].median for threads in (1, 2))
        results[f"b64.q{queries}.k10.two_threads_over_one"] = Measurement.of([two / one], "1")
    return results


def _measured(name: str, result: BenchScanResult) -> dict[str, Measurement]:
    facts = result.to_json()
    pairs = result.settings.num_codes * result.settings.num_queries / 1e9
    measured = {
        "scan": Measurement.of([pairs / s for s in result.scan_seconds], "G distances/s"),
        "faiss": Measurement.of([pairs / s for s in result.faiss_seconds], "G distances/s"),
        "ratio": Measurement.of([facts["ratio"]], "1"),
    }
    if result.settings.num_queries == 1 and result.settings.num_threads == 1:
        gigabytes = result.settings.num_codes * result.settings.num_bits / 8e9
        measured["read"] = Measurement.of([gigabytes / s for s in result.read_seconds], "GB/s")
        measured["read_share"] = Measurement.of([facts["read_share"]], "1")
    return {f"{name}.{key}": value for key, value in measured.items()}


def measure_avx2(run: ScanRun) -> dict[str, Measurement]:
    """64 queries, 64 bits, one thread."""
    results: dict[str, Measurement] = {}
    for k in run.k:
        options = ["--num-codes", run.num_codes, "--num-queries", 64, "--k", k, "--repeats", run.num_repeats]
        facts = _bench_scan_command(list(map(str, options)), AVX2_ONLY)
        results[f"avx2.b64.q64.k{k}.t1.scan"] = Measurement.of([facts["figure"]], "G distances/s")
        results[f"avx2.b64.q64.k{k}.t1.ratio"] = Measurement.of([facts["ratio"]], "1")
    return results


def _bench_scan_command(options: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        finished = subprocess.run(
            [sys.executable, "-m", "pipeline.cli.app", "bench", "scan", "--json", *options],
            env={**os.environ, **environment, "NUMBA_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            check=True,
        )
    facts: dict[str, Any] = json.loads(finished.stdout)
    return facts


def compile_seconds() -> dict[str, Measurement]:
    """Of a process that finds no machine code, and of the next one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        command = [sys.executable, "-c", _FIRST_SCAN]
        runs = [
            float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
            for _ in range(2)
        ]
    return {name: Measurement.of([run], "s") for name, run in zip(("first_call", "next_call"), runs, strict=True)}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = ScanRun(num_codes=options.codes, num_repeats=options.repeats)
    results = {**measure(run), **measure_avx2(run), **compile_seconds()}
    for name, figure in results.items():
        print(f"{name}: {figure.median:.3g} {figure.unit} ({figure.lower_quartile:.3g} to {figure.upper_quartile:.3g})")
    result = measured_here(
        "hamming-scan",
        options.hardware,
        settings={"num_codes_64": run.num_codes, "avx2": dict(AVX2_ONLY)},
        results=results,
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_hamming_scan", __doc__)
    parser.add_argument("--codes", type=int, default=10_000_000, help="codes of 64 bits")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
