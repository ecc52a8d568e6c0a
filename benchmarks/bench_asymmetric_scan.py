"""The exact scan of product-quantized codes by lookup tables against Faiss, by turns, one thread each, in one process.

    python -m benchmarks.bench_asymmetric_scan [--codes 1000000]

Vectors of 64 dimensions around 1,000 centres; codes of 8 and 16 sub-codes of 8 bits, with codebooks that Faiss learned;
1 and 64 queries; k = 10 and 100. `scan`: `rank_nearest` as a searcher calls it; `faiss`: `IndexPQ` of the same
codebooks and codes; both make their tables with Faiss's routine within the clock. `fast_scan`: `IndexPQFastScan` of as
many bits, which has sub-codes of 4 bits, so other codebooks and other distances; it is the fastest that Faiss has.
Before the clock runs, scan and `IndexPQ` give the same distances.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.repeat_timer import repeat_timer
from benchmarks.result_file import Measurement, measured_here
from operators.binary_codes import BinaryCodes
from operators.kernels.lookup_masks import has_byte_lookup
from operators.quantization.lookup_tables import LookupTables
from operators.ranked_neighbors import RankedNeighbors
from operators.search.asymmetric_scan import AsymmetricScan
from operators.search.block_scan import rank_nearest

_NUM_DIMS = 64
_NUM_CENTRES = 1000
_TRAINED_ON = 20_000
_ROWS_AT_ONCE = 100_000
_TURN_SECONDS = 0.05

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class AsymmetricRun:
    num_codes: int = 1_000_000
    num_codebooks: tuple[int, ...] = (8, 16)
    num_queries: tuple[int, ...] = (1, 64)
    k: tuple[int, ...] = (10, 100)
    num_repeats: int = 5


@dataclass(frozen=True, eq=False)
class Scanned:
    """The same codes in both libraries, and codes of 4 bit sub-codes in Faiss."""

    codes: BinaryCodes
    ids: NDArray[np.int64]
    index: faiss.IndexPQ
    fast_index: faiss.IndexPQFastScan

    @classmethod
    def learned(cls, num_codes: int, num_codebooks: int) -> Scanned:
        index = faiss.IndexPQ(_NUM_DIMS, num_codebooks, 8)
        fast_index = faiss.IndexPQFastScan(_NUM_DIMS, 2 * num_codebooks, 4)
        for learner in (index, fast_index):
            learner.pq.cp.min_points_per_centroid = 1
            learner.train(vectors(min(num_codes, _TRAINED_ON), seed=1))
        for start in range(0, num_codes, _ROWS_AT_ONCE):
            rows = vectors(min(_ROWS_AT_ONCE, num_codes - start), seed=2 + start)
            index.add(rows)
            fast_index.add(rows)
        packed = faiss.vector_to_array(index.codes).reshape(num_codes, num_codebooks)
        return cls(BinaryCodes(packed, 8 * num_codebooks), np.arange(num_codes), index, fast_index)

    def tables(self, queries: Floats) -> LookupTables:
        values = np.empty((len(queries), self.index.pq.M, 256), np.float32)
        self.index.pq.compute_distance_tables(len(queries), faiss.swig_ptr(queries), faiss.swig_ptr(values))
        return LookupTables(values)

    def search(self, queries: Floats, k: int) -> RankedNeighbors:
        return rank_nearest(AsymmetricScan(self.codes, self.tables(queries)), self.ids, k=k)

    def check(self, queries: Floats, k: int) -> None:
        """Raises RuntimeError where the distances are not Faiss's, but for the rounding of sums in another order."""
        theirs, _ = self.index.search(queries, k)
        if not np.allclose(self.search(queries, k).distances, theirs, rtol=1e-4):
            raise RuntimeError(f"{self.index.pq.M} codebooks, k = {k}: other distances than those of Faiss")


def vectors(num_rows: int, seed: int) -> Floats:
    """Float32 `(num_rows, 64)` around centres that are the same for every seed."""
    centres = np.random.default_rng(0).normal(size=(_NUM_CENTRES, _NUM_DIMS))
    rng = np.random.default_rng(seed)
    rows = centres[rng.integers(0, _NUM_CENTRES, num_rows)] + rng.normal(size=(num_rows, _NUM_DIMS))
    return rows.astype(np.float32)


def measure(run: AsymmetricRun) -> dict[str, Measurement]:
    faiss.omp_set_num_threads(1)
    results: dict[str, Measurement] = {}
    for num_codebooks in run.num_codebooks:
        scanned = Scanned.learned(run.num_codes, num_codebooks)
        for num_queries in run.num_queries:
            for k in run.k:
                figures = _compare(scanned, vectors(num_queries, seed=7), k, run.num_repeats)
                place = f"m{num_codebooks}.q{num_queries}.k{k}"
                results |= {f"{place}.{name}": figure for name, figure in figures.items()}
    return results


def _compare(scanned: Scanned, queries: Floats, k: int, num_repeats: int) -> dict[str, Measurement]:
    scanned.check(queries, k)
    pairs = len(queries) * len(scanned.codes)
    seconds = _by_turns(
        {
            "scan": partial(scanned.search, queries, k),
            "faiss": partial(scanned.index.search, queries, k),
            "fast_scan": partial(scanned.fast_index.search, queries, k),
        },
        num_repeats,
    )
    results = {
        name: Measurement.of([pairs / each / 1e9 for each in every], "G distances/s") for name, every in seconds.items()
    }
    for name in ("faiss", "fast_scan"):
        ratios = [theirs / ours for theirs, ours in zip(seconds[name], seconds["scan"], strict=True)]
        results[f"over_{name}"] = Measurement.of(ratios, "1")
    return results


def _by_turns(actions: Mapping[str, Callable[[], object]], num_repeats: int) -> dict[str, list[float]]:
    """Seconds of each: one after the other, again and again, so that a busy spell of the machine strikes all. A short
    action is called often enough in its turn that the clock can tell."""
    for action in actions.values():
        action()
    num_calls = {
        name: 1 + int(_TURN_SECONDS / repeat_timer(action, num_repeats=1, num_warmups=0)[0])
        for name, action in actions.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(num_repeats):
        for name, action in actions.items():
            seconds[name].append(mean(repeat_timer(action, num_repeats=num_calls[name], num_warmups=0)))
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = AsymmetricRun(num_codes=options.codes, num_repeats=options.repeats)
    results = measure(run)
    for name, figure in results.items():
        print(f"{name}: {figure.median:.3g} {figure.unit} ({figure.lower_quartile:.3g} to {figure.upper_quartile:.3g})")
    settings: dict[str, JsonValue] = {
        "num_codes": run.num_codes,
        "num_dims": _NUM_DIMS,
        "num_threads": 1,
        "byte_lookup": has_byte_lookup(),
        "faiss": faiss.__version__,
    }
    result = measured_here(
        "asymmetric-scan", options.hardware, settings=settings, results=results, allow_dirty=options.allow_dirty
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_asymmetric_scan", __doc__)
    parser.add_argument("--codes", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
