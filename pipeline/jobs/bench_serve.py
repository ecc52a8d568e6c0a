"""The benchmark of serving: `bitquarry serve` against a bare FastAPI app around Faiss, by turns, on the same codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil

from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.block_scan import rank_nearest
from operators.search.faiss_extra import load_faiss
from operators.search.hamming_flat import HammingScan
from pipeline.errors import PipelineError
from pipeline.jobs.bench_sizes import check_sizes
from pipeline.jobs.compared_rates import compared_rates
from pipeline.jobs.load_client import LoadPlan, LoadReport
from pipeline.jobs.synthetic_index import write_synthetic_index
from pipeline.sample_corpus.clustered_codes import clustered_codes, near_codes

_INDEX = "bench"
_NUM_BODIES = 4096
_NUM_CHECKED = 32
_WARM_SECONDS = 0.5
_STOP_SECONDS = 60.0
_BARE, _SERVICE, _UNBATCHED, _ACTORS = "bare", "service", "unbatched", "actors"


@dataclass(frozen=True, kw_only=True)
class BenchServeSettings:
    """`command`: how to start bitquarry. Clustered codes of `num_bits` in `num_shards` shards, queries near them; each
    of `concurrency` connections asks for `seconds`. `num_searchers` Ray actors for the figures with Ray, 0 for none.
    `bare_threads` of OpenMP for Faiss, None for as many as it takes by itself. `memory_queries` are asked of one
    service at the end, to see whether its memory grows. Raises `UsageError`."""

    command: tuple[str, ...] = (sys.executable, "-m", "pipeline.cli.app")
    num_bits: int = 64
    num_codes: int = 1_000_000
    num_shards: int = 2
    search_kind: str = "scan"
    k: int = 10
    concurrency: tuple[int, ...] = (1, 16, 64)
    seconds: float = 5.0
    num_searchers: int = 2
    bare_threads: int | None = None
    memory_queries: int = 0
    num_repeats: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check_sizes(
            self.num_bits,
            num_codes=self.num_codes,
            num_shards=self.num_shards,
            k=self.k,
            concurrency=min(self.concurrency, default=0),
            num_repeats=self.num_repeats,
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        return (_BARE, _SERVICE, _UNBATCHED, *([_ACTORS] if self.num_searchers else []))


@dataclass(frozen=True, kw_only=True)
class MemorySample:
    """Resident bytes of the service when it had answered so many queries."""

    num_queries: int
    resident_bytes: int


@dataclass(frozen=True, kw_only=True)
class BenchServeResult:
    """`reports[kind][concurrency]`: one per round."""

    settings: BenchServeSettings
    reports: dict[str, dict[int, list[LoadReport]]]
    memory: tuple[MemorySample, ...]
    faiss_version: str

    def to_json(self) -> dict[str, Any]:
        """The headline is the largest concurrency; `at_concurrency` has all."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "command"}
        return {
            "bench": "serve",
            "unit": "queries/s",
            **compared_rates(*(self._rates(kind, max(self.settings.concurrency)) for kind in (_SERVICE, _BARE))),
            "comparator_is": f"FastAPI and uvicorn around Faiss {self.faiss_version} IndexBinaryFlat",
            "at_concurrency": {str(number): self._at(number) for number in self.settings.concurrency},
            "memory": [asdict(sample) for sample in self.memory],
            **settings,
        }

    def _at(self, concurrency: int) -> dict[str, Any]:
        figures = {kind: self._figures(kind, concurrency) for kind in self.settings.kinds}
        return {
            **compared_rates(self._rates(_SERVICE, concurrency), self._rates(_BARE, concurrency)),
            "p50_ratio": figures[_SERVICE]["p50_milliseconds"] / figures[_BARE]["p50_milliseconds"],
            "batching_gain": figures[_SERVICE]["queries_per_second"] / figures[_UNBATCHED]["queries_per_second"],
            **figures,
        }

    def _figures(self, kind: str, concurrency: int) -> dict[str, float]:
        reports = self.reports[kind][concurrency]
        return {
            "queries_per_second": median(self._rates(kind, concurrency)),
            "p50_milliseconds": median(report.p50_milliseconds for report in reports),
            "p99_milliseconds": median(report.p99_milliseconds for report in reports),
        }

    def _rates(self, kind: str, concurrency: int) -> list[float]:
        return [report.num_answers / report.seconds for report in self.reports[kind][concurrency]]


def bench_serve(settings: BenchServeSettings, on_progress: Callable[[str], None]) -> BenchServeResult:
    """Raises `PipelineError` for wrong answers and for a service that does not start, `InvalidSetting` where Faiss is
    not installed."""
    faiss = load_faiss("comparator")
    with tempfile.TemporaryDirectory(prefix="bitquarry-bench-") as folder:
        bench = _ServeBench(settings, Path(folder))
        on_progress(f"{settings.num_codes:,} codes of {settings.num_bits} bits indexed")
        reports: dict[str, dict[int, list[LoadReport]]] = {
            kind: {concurrency: [] for concurrency in settings.concurrency} for kind in settings.kinds
        }
        for number in range(settings.num_repeats):
            for kind in settings.kinds:
                with bench.running(kind) as (address, _):
                    for concurrency in settings.concurrency:
                        report = bench.load(kind, address, concurrency)
                        reports[kind][concurrency].append(report)
                        on_progress(_line(number, settings.num_repeats, kind, concurrency, report))
        memory = tuple(bench.memory(on_progress)) if settings.memory_queries else ()
    return BenchServeResult(settings=settings, reports=reports, memory=memory, faiss_version=faiss.__version__)


class _ServeBench:
    """Codes, queries and what they find; in `folder` the catalog and the files of the comparator."""

    def __init__(self, settings: BenchServeSettings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        codes = clustered_codes(settings.num_codes, settings.num_bits, seed=settings.seed)
        self._queries = near_codes(codes, _NUM_BODIES, seed=settings.seed + 1)
        np.save(folder / "codes.npy", codes.packed)
        write_synthetic_index(
            str(folder / "catalog"), _INDEX, codes, num_shards=settings.num_shards, search_kind=settings.search_kind
        )
        self._expected = _nearest(codes, self._queries[slice(0, _NUM_CHECKED)], settings.k)

    @contextmanager
    def running(self, kind: str) -> Iterator[tuple[str, psutil.Process]]:
        """Address and process of a service of this kind, until the block ends."""
        # Each library takes the threads that it would take by itself.
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        if kind == _BARE and self._settings.bare_threads is not None:
            environment["OMP_NUM_THREADS"] = str(self._settings.bare_threads)
        process = subprocess.Popen(self._command(kind), stdout=subprocess.PIPE, text=True, env=environment)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise PipelineError(f"the service ({kind}) did not start: exit code {process.wait()}")
            yield json.loads(line)["address"], psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_STOP_SECONDS)

    def load(self, kind: str, address: str, concurrency: int) -> LoadReport:
        """One measurement. Raises `PipelineError` when an answer is refused or wrong."""
        parts = urlsplit(address)
        terms: dict[str, Any] = {"k": self._settings.k}
        if kind != _BARE:
            terms["with_payload"] = False
        plan = LoadPlan(
            host=str(parts.hostname),
            port=int(parts.port or 0),
            path="/query" if kind == _BARE else f"/v1/indexes/{_INDEX}/query",
            bodies=[json.dumps({"code": code, **terms}) for code in self._queries.to_hex()],
            concurrency=concurrency,
            warm_seconds=_WARM_SECONDS,
            seconds=self._settings.seconds,
            num_kept=_NUM_CHECKED,
        )
        client = [sys.executable, "-m", "pipeline.jobs.load_client"]
        allowed = _STOP_SECONDS + plan.warm_seconds + plan.seconds
        done = subprocess.run(
            client, input=json.dumps(asdict(plan)), stdout=subprocess.PIPE, text=True, check=False, timeout=allowed
        )
        if done.returncode:
            raise PipelineError(f"the client of the load ended with exit code {done.returncode}")
        report = LoadReport(**json.loads(done.stdout))
        if report.num_refused or not report.answers:
            raise PipelineError(f"{kind}: {report.num_refused} requests were refused, {report.num_answers} answered")
        for number, answer in report.answers.items():
            self._check(kind, int(number), json.loads(answer)["hits"])
        return report

    def memory(self, on_progress: Callable[[str], None]) -> Iterator[MemorySample]:
        """Samples until `memory_queries` are answered, the first after one load."""
        num_queries = 0
        with self.running(_SERVICE) as (address, process):
            while num_queries < self._settings.memory_queries:
                num_queries += self.load(_SERVICE, address, max(self._settings.concurrency)).num_answers
                sample = MemorySample(num_queries=num_queries, resident_bytes=process.memory_info().rss)
                on_progress(f"{sample.resident_bytes / 1e6:,.1f} MB after {num_queries:,} queries")
                yield sample

    def _command(self, kind: str) -> list[str]:
        if kind == _BARE:
            return [sys.executable, "-m", "pipeline.jobs.bare_search_app", str(self._folder / "codes.npy")]
        config = self._folder / f"{kind}.yaml"
        config.write_text(f"serve: {{batching: {'false' if kind == _UNBATCHED else 'true'}}}\n", encoding="utf-8")
        searchers = self._settings.num_searchers if kind == _ACTORS else 0
        options = ["--port", "0", "--searchers", str(searchers), "--config", str(config), "--json"]
        return [*self._settings.command, "serve", "--catalog", str(self._folder / "catalog"), *options]

    def _check(self, kind: str, query: int, hits: list[dict[str, Any]]) -> None:
        """Faiss orders ties otherwise, so that its ids say nothing."""
        distances, ids = self._expected.row(query)
        right = [hit["distance"] for hit in hits] == distances.tolist()
        if kind != _BARE:
            right = right and [int(hit["id"]) for hit in hits] == ids.tolist()
        if not right:
            raise PipelineError(f"{kind}: wrong answer to query {query}; no figure means anything")


def _nearest(codes: BinaryCodes, queries: BinaryCodes, k: int) -> RankedNeighbors:
    return rank_nearest(HammingScan(codes, queries), np.arange(len(codes)), k=k)


def _line(number: int, num_repeats: int, kind: str, concurrency: int, report: LoadReport) -> str:
    rate = report.num_answers / report.seconds
    times = f"p50 {report.p50_milliseconds:.2f} ms, p99 {report.p99_milliseconds:.2f} ms"
    return f"round {number + 1} of {num_repeats}: {kind} at {concurrency}: {rate:,.0f} queries/s, {times}"
