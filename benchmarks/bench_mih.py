"""Multi-index hashing against the exact scan and Faiss `IndexBinaryMultiHash`, one thread each, in the same process.

    python -m benchmarks.bench_mih [--codes 100000000]

Codes of `clustered_codes.py`, 64 and 128 bits; queries near items; k = 1, 10 and 100 and radius 0 to 4. Figures per
query, of queries that are asked together (`q64`) and one by one (`q1`): `mih`, which falls back to the scan by itself
(`scanned`: the share of queries where it did; `probes` and `candidates`: buckets and codes looked at before), `scan`,
`speedup` (scan / mih, below 1 where the scan is faster) and `faiss`. Before the clock runs, `mih` and `scan` give the
same ranking. Faiss has as many tables as `mih` has chunks. It flips floor(r / tables) bits within a radius, which is
exact; for k it flips 1, and `faiss_recall` says how many of the answers are as near as the exact ones. Memory:
`mih.bytes`, the tables per code beside the codes; `faiss.bytes`, what the process grew by per code, codes included.
`crossover.k`: the first k from which on the scan is faster, 0 for none.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.repeat_timer import repeat_timer
from benchmarks.result_file import Measurement, measured_here
from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import rank_nearest
from operators.search.hamming_flat import HammingScan, rank_within
from operators.search.multi_index_hash import MultiIndexHash, ProbedNeighbors
from pipeline.sample_corpus.clustered_codes import CODES_PER_CENTRE, MAX_FLIPPED, clustered_codes, near_codes

Results = dict[str, Measurement]


@dataclass(frozen=True, kw_only=True)
class MihRun:
    num_codes: int = 100_000_000
    num_bits: tuple[int, ...] = (64, 128)
    k: tuple[int, ...] = (1, 10, 100)
    radii: tuple[int, ...] = (0, 1, 2, 3, 4)
    num_queries: int = 64
    num_repeats: int = 5
    with_faiss: bool = True


@dataclass(frozen=True)
class Asked:
    """`kind` is k or r, `value` how many or how far."""

    kind: str
    value: int

    def __str__(self) -> str:
        return f"{self.kind}{self.value}"


@dataclass(frozen=True, eq=False)
class Indexed:
    """Codes of one width with their tables."""

    codes: BinaryCodes
    ids: NDArray[np.int64]
    index: MultiIndexHash

    @classmethod
    def over(cls, codes: BinaryCodes) -> Indexed:
        return cls(codes, np.arange(len(codes)), MultiIndexHash.build(codes))

    def probe(self, queries: BinaryCodes, asked: Asked) -> ProbedNeighbors:
        if asked.kind == "k":
            return self.index.probe_nearest(queries, self.ids, k=asked.value)
        return self.index.probe_radius(queries, self.ids, radius=asked.value)

    def scan(self, queries: BinaryCodes, asked: Asked) -> RankedNeighbors:
        scan = HammingScan(self.codes, queries)
        if asked.kind == "k":
            return rank_nearest(scan, self.ids, k=asked.value)
        return rank_within(*scan.within(asked.value), self.ids, num_queries=len(queries))

    def check(self, queries: BinaryCodes, asked: Asked) -> None:
        """Raises RuntimeError where the answers are not the scan's."""
        probed, scanned = self.probe(queries, asked).neighbors, self.scan(queries, asked)
        for name in ("distances", "ids", "counts"):
            if not np.array_equal(getattr(probed, name), getattr(scanned, name)):
                raise RuntimeError(f"{self.codes.num_bits} bits, {asked}: other {name} than those of the scan")


def measure(run: MihRun) -> Results:
    results: Results = {}
    for num_bits in run.num_bits:
        results |= {f"b{num_bits}.{name}": figure for name, figure in _of_width(num_bits, run).items()}
    return results


def _of_width(num_bits: int, run: MihRun) -> Results:
    codes = clustered_codes(run.num_codes, num_bits, seed=num_bits)
    queries = near_codes(codes, run.num_queries, seed=7)
    started = time.perf_counter()
    indexed = Indexed.over(codes)
    num_bytes = sum(array.nbytes for array in indexed.index.arrays().values())
    results = {
        "mih.build": Measurement.of([time.perf_counter() - started], "s"),
        "mih.bytes": Measurement.of([num_bytes / run.num_codes], "bytes per code"),
    }
    everything = [*(Asked("k", k) for k in run.k), *(Asked("r", radius) for radius in run.radii)]
    exact: dict[Asked, RankedNeighbors] = {}
    for asked in everything:
        indexed.check(queries, asked)
        exact[asked] = indexed.probe(queries, asked).neighbors
        for num_together in (run.num_queries, 1):
            results |= _against_scan(indexed, queries, asked, num_together, run)
    for num_together in (run.num_queries, 1):
        slower = [k for k in run.k if results[f"q{num_together}.k{k}.speedup"].median < 1]
        results[f"q{num_together}.crossover.k"] = Measurement.of([min(slower, default=0)], "neighbours")
    num_chunks = len(indexed.index.tables.chunk_bits)
    del indexed
    return results | (_of_faiss(queries, exact, (codes, num_chunks), run) if run.with_faiss else {})


def _against_scan(indexed: Indexed, queries: BinaryCodes, asked: Asked, num_together: int, run: MihRun) -> Results:
    """One batch of all queries, or, one by one, as many queries as there are repeats."""
    place = f"q{num_together}.{asked}"
    if num_together > 1:
        ours = _per_query(partial(indexed.probe, queries, asked), len(queries), run)
        theirs = _per_query(partial(indexed.scan, queries, asked), len(queries), run)
        done = [indexed.probe(queries, asked)]
    else:
        alone = [queries[row : row + 1] for row in range(min(len(queries), run.num_repeats))]
        ours = [_per_query(partial(indexed.probe, query, asked), 1, run)[0] for query in alone]
        theirs = [_per_query(partial(indexed.scan, query, asked), 1, run)[0] for query in alone]
        done = [indexed.probe(query, asked) for query in alone]
    return {
        f"{place}.mih": Measurement.of(ours, "s per query"),
        f"{place}.scan": Measurement.of(theirs, "s per query"),
        f"{place}.speedup": Measurement.of([median(theirs) / median(ours)], "1"),
        f"{place}.scanned": _mean([probed.scanned for probed in done], "1"),
        f"{place}.probes": _mean([probed.num_probes for probed in done], "buckets per query"),
        f"{place}.candidates": _mean([probed.num_candidates for probed in done], "codes per query"),
    }


def _mean(values: list[NDArray[Any]], unit: str) -> Measurement:
    return Measurement.of([float(np.concatenate(values).mean())], unit)


def _per_query(action: Callable[[], object], num_queries: int, run: MihRun) -> list[float]:
    return [seconds / num_queries for seconds in repeat_timer(action, num_repeats=run.num_repeats)]


def _of_faiss(
    queries: BinaryCodes, exact: dict[Asked, RankedNeighbors], indexed: tuple[BinaryCodes, int], run: MihRun
) -> Results:
    codes, num_tables = indexed
    resident, started = _resident_bytes(), time.perf_counter()
    index = faiss.IndexBinaryMultiHash(codes.num_bits, num_tables, codes.num_bits // num_tables)
    for start in range(0, len(codes), 10**6):
        index.add(codes.packed[start : start + 10**6])
    results = {
        "faiss.build": Measurement.of([time.perf_counter() - started], "s"),
        "faiss.bytes": Measurement.of([(_resident_bytes() - resident) / len(codes)], "bytes per code"),
    }
    for asked, answer in exact.items():
        place = f"q{run.num_queries}.{asked}"
        index.nflip = 1 if asked.kind == "k" else asked.value // num_tables
        search = partial(_ask_faiss, index, queries, asked)
        results[f"{place}.faiss"] = Measurement.of(_per_query(search, len(queries), run), "s per query")
        if asked.kind == "k":
            share = _share_as_near(search(), answer)
            results[f"{place}.faiss_recall"] = Measurement.of([share], "1")
        elif not np.array_equal(search(), answer.counts):
            raise RuntimeError(f"{codes.num_bits} bits, {asked}: other numbers of answers than Faiss")
    return results


def _ask_faiss(index: faiss.IndexBinaryMultiHash, queries: BinaryCodes, asked: Asked) -> NDArray[np.int64]:
    """Distances `(num_queries, k)`; within a radius the number of answers `(num_queries,)`."""
    if asked.kind == "k":
        distances: NDArray[np.int64] = index.search(queries.packed, asked.value)[0].astype(np.int64)
        return distances
    limits, _, _ = index.range_search(queries.packed, asked.value + 1)  # Faiss leaves the radius itself out
    counts: NDArray[np.int64] = limits[1:].astype(np.int64) - limits[:-1].astype(np.int64)
    return counts


def _share_as_near(distances: NDArray[np.int64], exact: RankedNeighbors) -> float:
    """Share of the exact answers at whose rank Faiss has an answer as near."""
    inside = np.arange(exact.k)[None, :] < exact.counts[:, None]
    return float(np.mean((distances == exact.distances)[inside]))


def _resident_bytes() -> int:
    gc.collect()
    return int(psutil.Process(os.getpid()).memory_info().rss)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    faiss.omp_set_num_threads(1)
    run = MihRun(num_codes=options.codes, num_repeats=options.repeats, with_faiss=not options.without_faiss)
    results = measure(run)
    for name, figure in results.items():
        print(f"{name}: {figure.median:.3g} {figure.unit} ({figure.lower_quartile:.3g} to {figure.upper_quartile:.3g})")
    result = measured_here(
        "mih",
        options.hardware,
        settings={
            "num_codes": run.num_codes,
            "num_queries": run.num_queries,
            "codes_per_centre": CODES_PER_CENTRE,
            "max_flipped": MAX_FLIPPED,
            "num_threads": 1,
            "faiss": faiss.__version__,
        },
        results=results,
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_mih", __doc__)
    parser.add_argument("--codes", type=int, default=100_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--without-faiss", action="store_true", help="where its memory is not there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
