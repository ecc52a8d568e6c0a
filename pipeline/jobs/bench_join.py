"""The join benchmark: all near pairs of many codes against Faiss range search, by turns, on the same codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from operators.binary_codes import BinaryCodes
from operators.search.faiss_extra import load_faiss
from operators.search.near_pairs import check_radius, near_pairs
from operators.search.pair_order import PairArrays, sort_pairs
from pipeline.errors import PipelineError
from pipeline.jobs.bench_scan import random_codes
from pipeline.jobs.bench_sizes import check_sizes
from pipeline.jobs.compared_rates import compared_rates

_DUPLICATE_SHARE = 0.2
_CHECKED_CODES = 20_000


@dataclass(frozen=True, kw_only=True)
class BenchJoinSettings:
    """Random codes of `num_bits`, a multiple of 8, a fifth of them copies of others with up to `radius` bits flipped.

    Faiss looks for the neighbours of `num_sampled` of the codes: for all it would take hours. Both get `num_threads`.
    Raises `UsageError` and `InvalidSetting`.
    """

    num_bits: int = 64
    num_codes: int = 10_000_000
    radius: int = 3
    num_sampled: int = 256
    num_threads: int = 1
    num_repeats: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(
            self.num_bits,
            num_codes=self.num_codes,
            num_sampled=self.num_sampled,
            num_threads=self.num_threads,
            num_repeats=self.num_repeats,
        )
        check_radius(self.radius, self.num_bits)


@dataclass(frozen=True, kw_only=True)
class BenchJoinResult:
    """Seconds of each round: of the join of all codes, and of Faiss's search for `num_sampled` of them."""

    settings: BenchJoinSettings
    num_pairs: int
    join_seconds: tuple[float, ...]
    faiss_seconds: tuple[float, ...]
    faiss_version: str

    def to_json(self) -> dict[str, Any]:
        """`figure`: codes per second whose near duplicates are found; Faiss's rate is that of a sample of the codes."""
        asked = self.settings
        num_sampled = min(asked.num_sampled, asked.num_codes)
        return {
            "bench": "join",
            "unit": "codes/s",
            **compared_rates(
                [asked.num_codes / s for s in self.join_seconds], [num_sampled / s for s in self.faiss_seconds]
            ),
            "comparator_is": f"Faiss {self.faiss_version} IndexBinaryFlat.range_search of {num_sampled:,} of the codes",
            **asdict(asked),
            "duplicate_share": _DUPLICATE_SHARE,
            "num_pairs": self.num_pairs,
            "join_seconds": list(self.join_seconds),
        }


def bench_join(settings: BenchJoinSettings, on_progress: Callable[[str], None]) -> BenchJoinResult:
    """Raises `PipelineError` when the two find different pairs among 20,000 of the codes, `InvalidSetting` where Faiss
    is not installed."""
    faiss = load_faiss("comparator")
    faiss.omp_set_num_threads(settings.num_threads)
    on_progress(f"{settings.num_codes:,} codes of {settings.num_bits} bits")
    codes = near_duplicate_codes(settings)
    _check(faiss, codes[:_CHECKED_CODES], settings.radius)
    index = _index_of(faiss, codes)
    sampled = codes.packed[np.random.default_rng(settings.seed).permutation(len(codes))[: settings.num_sampled]]
    num_pairs = 0
    join, theirs = [], []
    for number in range(settings.num_repeats):
        started = time.perf_counter()
        num_pairs = near_pairs(codes, radius=settings.radius, num_threads=settings.num_threads).num_item_pairs
        join.append(time.perf_counter() - started)
        started = time.perf_counter()
        index.range_search(sampled, settings.radius + 1)
        theirs.append(time.perf_counter() - started)
        round_of = f"round {number + 1} of {settings.num_repeats}"
        on_progress(f"{round_of}: join {join[-1]:.2f} s, Faiss {theirs[-1]:.2f} s for {len(sampled):,} codes")
    return BenchJoinResult(
        settings=settings,
        num_pairs=num_pairs,
        join_seconds=tuple(join),
        faiss_seconds=tuple(theirs),
        faiss_version=faiss.__version__,
    )


def near_duplicate_codes(settings: BenchJoinSettings) -> BinaryCodes:
    """Seeded; copies lie anywhere among the others."""
    random = np.random.default_rng(settings.seed)
    packed = random_codes(random, settings.num_codes, settings.num_bits).packed
    copies, others = np.split(random.permutation(len(packed)), [int(_DUPLICATE_SHARE * len(packed))])
    packed[copies] = packed[random.choice(others, len(copies))]
    for _ in range(settings.radius):
        bits = random.integers(0, settings.num_bits, len(copies))
        flips = (128 >> (bits % 8)).astype(np.uint8) * random.integers(0, 2, len(copies), dtype=np.uint8)
        packed[copies, bits // 8] ^= flips
    return BinaryCodes(packed, settings.num_bits)


def _index_of(faiss: Any, codes: BinaryCodes) -> Any:
    index = faiss.IndexBinaryFlat(codes.num_bits)
    index.add(codes.packed)
    return index


def _check(faiss: Any, codes: BinaryCodes, radius: int) -> None:
    left, right, distances = near_pairs(codes, radius=radius).expand()
    theirs = _pairs_of_faiss(faiss, codes, radius)
    if not (
        np.array_equal(left, theirs[0]) and np.array_equal(right, theirs[1]) and np.array_equal(distances, theirs[2])
    ):
        raise PipelineError("the join and Faiss found different pairs; neither figure means anything")


def _pairs_of_faiss(faiss: Any, codes: BinaryCodes, radius: int) -> PairArrays:
    """Each pair once; Faiss's radius is exclusive."""
    limits, distances, right = _index_of(faiss, codes).range_search(codes.packed, radius + 1)
    left = np.repeat(np.arange(len(codes)), np.diff(limits.astype(np.int64)))
    once = left < right
    return sort_pairs(left[once], right[once], distances[once])
