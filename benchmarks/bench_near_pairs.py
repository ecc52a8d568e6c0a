"""The near-duplicate join against Faiss range search and the compiled scan, in the same process.

    python -m benchmarks.bench_near_pairs [--codes 10000000]

All pairs of 64-bit codes within 3 bits. Of the codes a stated share are near duplicates: another code with 0 to 3 bits
flipped; the others are uniform (`uniform`), or lie 6 bits apart in clusters of 20 as in `clustered_codes.py`
(`clustered`). `join`: the whole join on one thread, `join_threads` on all cores; `memory`: what the process of a join
takes at most beside the codes. Faiss (`IndexBinaryFlat.range_search`) and the scan (`search_radius`), one thread each,
look for the neighbours of a sample of the codes only; their time for all codes is that time multiplied by codes /
sampled codes, an extrapolation. Before the clock runs, join, Faiss and scan give identical pairs on a subset.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.repeat_timer import repeat_timer
from benchmarks.result_file import Measurement, measured_here
from operators.binary_codes import BinaryCodes
from operators.search.hamming_flat import search_radius
from operators.search.near_pairs import near_pairs
from pipeline.sample_corpus.clustered_codes import clustered_codes

Pairs = NDArray[np.int64]
KINDS = ("uniform", "clustered")
_JOIN_ALONE = """
import sys
from pathlib import Path
import numpy as np
from operators.binary_codes import BinaryCodes
from operators.search.near_pairs import near_pairs
packed = np.load(sys.argv[1])
near_pairs(BinaryCodes(packed[:2], 8 * packed.shape[1]), radius=int(sys.argv[2]))
def kilobytes(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0])
Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
before = kilobytes("VmRSS")
near_pairs(BinaryCodes(packed, 8 * packed.shape[1]), radius=int(sys.argv[2]))
print(1024 * (kilobytes("VmHWM") - before))
"""


@dataclass(frozen=True, kw_only=True)
class JoinRun:
    """`num_checked` codes are compared pair by pair; `num_sampled` codes are looked up in all by the comparators."""

    num_codes: int = 10_000_000
    num_bits: int = 64
    radius: int = 3
    duplicate_share: float = 0.2
    num_checked: int = 200_000
    num_sampled: int = 256
    num_repeats: int = 5
    num_threads: int = os.cpu_count() or 1

    def codes(self, kind: str) -> BinaryCodes:
        """Seeded; near duplicates lie anywhere among the others."""
        random = np.random.default_rng(11)
        shape = (self.num_codes, self.num_bits // 8)
        if kind == "clustered":
            packed = clustered_codes(self.num_codes, self.num_bits, seed=11).packed
        else:
            packed = random.integers(0, 256, shape, dtype=np.uint8)
        copies, others = np.split(random.permutation(self.num_codes), [int(self.duplicate_share * self.num_codes)])
        packed[copies] = packed[random.choice(others, len(copies))]
        for _ in range(self.radius):
            bits = random.integers(0, self.num_bits, len(copies))
            flips = (128 >> (bits % 8)).astype(np.uint8) * random.integers(0, 2, len(copies), dtype=np.uint8)
            packed[copies, bits // 8] ^= flips
        return BinaryCodes(packed, self.num_bits)


def joined(codes: BinaryCodes, radius: int, num_threads: int = 1) -> Pairs:
    """All pairs of items as int64 `(num_pairs, 3)`: left, right, distance."""
    return np.stack(near_pairs(codes, radius=radius, num_threads=num_threads).expand(), axis=1, dtype=np.int64)


def faiss_index(codes: BinaryCodes) -> faiss.IndexBinaryFlat:
    index = faiss.IndexBinaryFlat(codes.num_bits)
    index.add(codes.packed)
    return index


def pairs_of_faiss(codes: BinaryCodes, radius: int) -> Pairs:
    """The same from Faiss; its radius is exclusive."""
    limits, distances, found = faiss_index(codes).range_search(codes.packed, radius + 1)
    left = np.repeat(np.arange(len(codes)), np.diff(limits).astype(np.int64))
    pairs = np.stack([left, found, distances.astype(np.int64)], axis=1)[left < found]
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def pairs_of_scan(codes: BinaryCodes, radius: int, block: int = 4096) -> Pairs:
    """The same from the compiled scan of all codes for each code."""
    ids = np.arange(len(codes))
    parts: list[Pairs] = [np.empty((0, 3), np.int64)]
    for start in range(0, len(codes), block):
        near = search_radius(codes, ids, codes[slice(start, start + block)], radius=radius)
        rows, places = np.nonzero(np.arange(near.k)[None, :] < near.counts[:, None])
        left, right = rows + start, near.ids[rows, places]
        found = np.stack([left, right, near.distances[rows, places]], axis=1, dtype=np.int64)
        parts.append(found[left < right])
    pairs = np.concatenate(parts)
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))])


def check(codes: BinaryCodes, radius: int) -> None:
    """Raises RuntimeError where the three disagree on a pair or a distance."""
    ours = joined(codes, radius)
    for name, other in (("the scan", pairs_of_scan), ("Faiss", pairs_of_faiss)):
        if not np.array_equal(ours, other(codes, radius)):
            raise RuntimeError(f"radius {radius}: other pairs than those of {name} among {len(codes)} codes")


def measure(run: JoinRun) -> dict[str, Measurement]:
    faiss.omp_set_num_threads(1)
    results: dict[str, Measurement] = {}
    for kind in KINDS:
        codes = run.codes(kind)
        check(codes[slice(0, run.num_checked)], run.radius)
        figures = {**_join(codes, run), **_comparators(codes, run)}
        for name in ("faiss", "scan"):
            ratio = figures[f"{name}_extrapolated"].median / figures["join"].median
            figures[f"ratio_{name}"] = Measurement.of([ratio], "1")
        results |= {f"{kind}.{name}": figure for name, figure in figures.items()}
    return results


def _join(codes: BinaryCodes, run: JoinRun) -> dict[str, Measurement]:
    pairs = near_pairs(codes, radius=run.radius)
    results = {
        "pairs": Measurement.of([pairs.num_item_pairs], "pairs"),
        "memory": Measurement.of([memory_of_join(codes, run.radius) / 1e9], "GB"),
        "codes": Measurement.of([codes.packed.nbytes / 1e9], "GB"),
    }
    for name, num_threads in (("join", 1), ("join_threads", run.num_threads)):
        action = partial(near_pairs, codes, radius=run.radius, num_threads=num_threads)
        results[name] = Measurement.of(repeat_timer(action, num_repeats=run.num_repeats, num_warmups=0), "s")
    return results


def _comparators(codes: BinaryCodes, run: JoinRun) -> dict[str, Measurement]:
    """Seconds for all codes, from those for a sample."""
    rows = np.random.default_rng(5).permutation(len(codes))[: run.num_sampled]
    queries, ids, index = codes[rows], np.arange(len(codes)), faiss_index(codes)
    actions: dict[str, Callable[[], object]] = {
        "faiss": partial(index.range_search, queries.packed, run.radius + 1),
        "scan": partial(search_radius, codes, ids, queries, radius=run.radius),
    }
    share = len(rows) / len(codes)
    return {
        f"{name}_extrapolated": Measurement.of(
            [s / share for s in repeat_timer(action, num_repeats=run.num_repeats)], "s"
        )
        for name, action in actions.items()
    }


def memory_of_join(codes: BinaryCodes, radius: int) -> int:
    """Bytes by which a process that holds the codes grows at most while it joins them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codes.npy"
        np.save(path, codes.packed)
        command = [sys.executable, "-c", _JOIN_ALONE, str(path), str(radius)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = JoinRun(
        num_codes=options.codes,
        num_checked=options.checked,
        num_sampled=options.sampled,
        radius=options.radius,
        num_repeats=options.repeats,
    )
    results = measure(run)
    for name, figure in results.items():
        print(f"{name}: {figure.median:.4g} {figure.unit} ({figure.lower_quartile:.4g} to {figure.upper_quartile:.4g})")
    settings = {
        **vars(run),
        "faiss": faiss.__version__,
        "comparators": f"measured for {run.num_sampled} of the codes, multiplied by codes / {run.num_sampled}",
    }
    result = measured_here(
        "near-pairs", options.hardware, settings=settings, results=results, allow_dirty=options.allow_dirty
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_near_pairs", __doc__)
    parser.add_argument("--codes", type=int, default=10_000_000, help="codes of 64 bits")
    parser.add_argument("--checked", type=int, default=200_000, help="codes on which all three must agree")
    parser.add_argument("--sampled", type=int, default=256, help="codes that the comparators look for")
    parser.add_argument("--radius", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
