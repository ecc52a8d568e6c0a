"""`bitquarry serve` over HTTP against a bare FastAPI app around Faiss `IndexBinaryFlat`, on loopback.

    python -m benchmarks.bench_serving [--codes 1000000 10000000]

Search by code, k = 10, clustered 64-bit codes. For each number of codes and connections (`c1`, `c16`, `c64`): queries
per second, p50 and p99 of `service` (batching, searchers in threads), `unbatched` (one query per pass), `actors`
(searchers are Ray actors) and `bare`; `ratio` is service / bare in queries per second, `p50_ratio` in p50, and
`batching_gain` service / unbatched. Every client checks a sample of its answers. The client is a process of its own
and shares the machine with what it measures. `memory.growth`: resident bytes of the service between the first load and
the last of `--memory-queries`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.result_file import Measurement, measured_here
from pipeline.jobs.bench_serve import BenchServeResult, BenchServeSettings, bench_serve

Results = dict[str, Measurement]


def measure(settings: BenchServeSettings) -> Results:
    result = bench_serve(settings, lambda line: print(line, file=sys.stderr, flush=True))
    place = f"n{settings.num_codes}"
    results: Results = {}
    for concurrency in settings.concurrency:
        results |= {f"{place}.c{concurrency}.{name}": figure for name, figure in _at(result, concurrency).items()}
    if result.memory:
        growth = result.memory[-1].resident_bytes - result.memory[0].resident_bytes
        results[f"{place}.memory.growth"] = Measurement.of([growth], "bytes")
        results[f"{place}.memory.queries"] = Measurement.of([result.memory[-1].num_queries], "queries")
    return results


def _at(result: BenchServeResult, concurrency: int) -> Results:
    results: Results = {}
    for kind in result.settings.kinds:
        reports = result.reports[kind][concurrency]
        rates = [report.num_answers / report.seconds for report in reports]
        results[f"{kind}.rate"] = Measurement.of(rates, "queries/s")
        results[f"{kind}.p50"] = Measurement.of([report.p50_milliseconds for report in reports], "ms")
        results[f"{kind}.p99"] = Measurement.of([report.p99_milliseconds for report in reports], "ms")
    for name, figure, comparator in (
        ("ratio", "service.rate", "bare.rate"),
        ("p50_ratio", "service.p50", "bare.p50"),
        ("batching_gain", "service.rate", "unbatched.rate"),
    ):
        results[name] = Measurement.of([results[figure].median / results[comparator].median], "1")
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    results: Results = {}
    for num_codes in options.codes:
        results |= measure(
            BenchServeSettings(
                num_codes=num_codes,
                seconds=options.seconds,
                num_searchers=options.searchers,
                num_repeats=options.repeats,
                memory_queries=options.memory_queries if num_codes == min(options.codes) else 0,
            )
        )
    for name, figure in results.items():
        print(f"{name}: {figure.median:.4g} {figure.unit} ({figure.lower_quartile:.4g} to {figure.upper_quartile:.4g})")
    settings: dict[str, Any] = {
        "num_codes": options.codes,
        "seconds": options.seconds,
        "num_searchers": options.searchers,
        "num_repeats": options.repeats,
        "memory_queries": options.memory_queries,
    }
    result = measured_here(
        "serving", options.hardware, settings=settings, results=results, allow_dirty=options.allow_dirty
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_serving", __doc__)
    parser.add_argument("--codes", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--searchers", type=int, default=2, help="Ray actors; 0 leaves them out")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory-queries", type=int, default=100_000)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
