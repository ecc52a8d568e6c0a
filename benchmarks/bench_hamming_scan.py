"""The exact Hamming scan against Faiss `IndexBinaryFlat`, one thread each, in the same process.

    python -m benchmarks.bench_hamming_scan [--codes 10000000]

Random codes of 64, 128 and 256 bits; 1 and 64 queries; k = 10 and 100. What is timed: `rank_nearest` as a searcher
calls it, and Faiss's `search`. Before the clock runs, both give the same distances. `read` is the rate at which one
thread sums the same codes: what memory gives. `first_call` is the first search of a process that has to compile,
`next_call` that of one that finds the machine code.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine_facts import hardware_name
from benchmarks.repeat_timer import repeat_timer
from benchmarks.result_file import RESULTS_FOLDER, Measurement, measured_here
from operators.binary_codes import BinaryCodes
from operators.kernels.compiled import compiled
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import rank_nearest
from operators.search.hamming_flat import HammingScan

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
    num_bits: tuple[int, ...] = (64, 128, 256)
    num_queries: tuple[int, ...] = (1, 64)
    k: tuple[int, ...] = (10, 100)
    num_repeats: int = 5


@dataclass(frozen=True, eq=False)
class Scanned:
    """Codes of one width, in both libraries."""

    codes: BinaryCodes
    ids: NDArray[np.int64]
    index: faiss.IndexBinaryFlat

    @classmethod
    def random(cls, num_codes: int, num_bits: int) -> Scanned:
        packed = np.random.default_rng(num_bits).integers(0, 256, (num_codes, num_bits // 8), dtype=np.uint8)
        index = faiss.IndexBinaryFlat(num_bits)
        index.add(packed)
        return cls(BinaryCodes(packed, num_bits), np.arange(num_codes), index)

    def queries(self, num_queries: int) -> BinaryCodes:
        packed = np.random.default_rng(7).integers(0, 256, (num_queries, self.codes.num_bits // 8), dtype=np.uint8)
        return BinaryCodes(packed, self.codes.num_bits)

    def search(self, queries: BinaryCodes, k: int) -> RankedNeighbors:
        return rank_nearest(HammingScan(self.codes, queries), self.ids, k=k)

    def check(self, queries: BinaryCodes, k: int) -> None:
        """Raises RuntimeError where the distances are not Faiss's."""
        ours = self.search(queries, k).distances
        theirs, _ = self.index.search(queries.packed, k)
        if not np.array_equal(ours, theirs):
            raise RuntimeError(f"{self.codes.num_bits} bits, k = {k}: other distances than those of Faiss")


def measure(run: ScanRun) -> dict[str, Measurement]:
    faiss.omp_set_num_threads(1)
    results: dict[str, Measurement] = {}
    for num_bits in run.num_bits:
        scanned = Scanned.random(run.num_codes * 64 // num_bits, num_bits)
        results |= _of_width(scanned, run)
    return results


def _of_width(scanned: Scanned, run: ScanRun) -> dict[str, Measurement]:
    num_codes, name = len(scanned.codes), f"b{scanned.codes.num_bits}"
    results: dict[str, Measurement] = {}
    for num_queries in run.num_queries:
        queries = scanned.queries(num_queries)
        pairs = num_queries * num_codes
        for k in run.k:
            scanned.check(queries, k)
            ours = repeat_timer(partial(scanned.search, queries, k), num_repeats=run.num_repeats)
            theirs = repeat_timer(partial(scanned.index.search, queries.packed, k), num_repeats=run.num_repeats)
            place = f"{name}.q{num_queries}.k{k}"
            results[f"{place}.scan"] = Measurement.of([pairs / s / 1e9 for s in ours], "G distances/s")
            results[f"{place}.faiss"] = Measurement.of([pairs / s / 1e9 for s in theirs], "G distances/s")
            results[f"{place}.ratio"] = Measurement.of([median(theirs) / median(ours)], "1")
    words = scanned.codes.packed.view(np.uint64).ravel()
    seconds = repeat_timer(lambda: _sum(words), num_repeats=run.num_repeats)
    results[f"{name}.read"] = Measurement.of([words.nbytes / s / 1e9 for s in seconds], "GB/s")
    return results


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


@compiled
def _sum(words: NDArray[np.uint64]) -> np.uint64:
    total = np.uint64(0)
    for word in words:
        total += word
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = ScanRun(num_codes=options.codes, num_repeats=options.repeats)
    results = {**measure(run), **compile_seconds()}
    for name, figure in results.items():
        print(f"{name}: {figure.median:.3g} {figure.unit} ({figure.lower_quartile:.3g} to {figure.upper_quartile:.3g})")
    result = measured_here(
        "hamming-scan",
        options.hardware,
        settings={"num_codes_64": run.num_codes, "num_threads": 1, "faiss": faiss.__version__},
        results=results,
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_hamming_scan", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--codes", type=int, default=10_000_000, help="codes of 64 bits")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--hardware", default=hardware_name(), help="part of the name of the result file")
    parser.add_argument("--folder", type=Path, default=RESULTS_FOLDER, help="where the result file goes")
    parser.add_argument("--allow-dirty", action="store_true", help="measure uncommitted changes; do not commit it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
