"""A billion codes of 64 bits searched exactly on one machine: by one process, and by two shard actors and the router.

    python -m benchmarks.bench_billion_codes [--codes 1000000000]

The codes are random, in files (`--data-dir`) that are memory-mapped, as an index's are; ids lie beside them. Each phase
has a process of its own. `direct`: one thread per shard in one process calls `ShardSearcher.search` and the answers are
merged. `router`: the same shards in Ray actors, asked through `QueryRouter.rank`; `router_cost` is what that adds, as a
share of `direct`. Both give the same answers. `own` memory is what a process has allocated, `resident` counts the pages
of the files too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import ray

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.repeat_timer import repeat_timer
from benchmarks.result_file import Measurement, measured_here
from operators.binary_codes import BinaryCodes
from operators.ranked_neighbors import RankedNeighbors
from operators.search.merge_ranked import merge_ranked
from operators.search.search_kinds import ScanSearch
from operators.search.search_queries import SearchQueries
from pipeline.actors.ray_session import ray_session
from pipeline.actors.searcher_actor import call
from pipeline.jobs.bench_scan import random_codes
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.searcher_port import SearcherPort
from pipeline.settings import RaySettings
from pipeline.shard_index.index_manifest import IndexFile, IndexManifest, ShardEntry, shard_name
from pipeline.shard_index.index_shard import IndexShard
from pipeline.shard_index.search_scope import EVERYTHING, SearchScope
from pipeline.shard_index.shard_searcher import ShardSearcher

NUM_BITS = 64
NUM_SHARDS = 2
_DEADLINE_SECONDS = 600.0
_BLOCK_CODES = 2**24
_NO_FILE = IndexFile(name="", size_bytes=0, sha256="")


@dataclass(frozen=True, kw_only=True)
class BillionRun:
    """`batch_queries` with `batch_k`; one query with `single_k`."""

    data_dir: Path
    num_codes: int = 1_000_000_000
    batch_queries: int = 64
    batch_k: int = 100
    single_k: int = 10
    num_repeats: int = 5

    @property
    def shard_rows(self) -> int:
        return self.num_codes // NUM_SHARDS

    def files(self, shard: int) -> tuple[Path, Path]:
        """Codes and ids."""
        stem = f"shard-{shard}-{self.shard_rows}"
        return self.data_dir / f"{stem}.codes.npy", self.data_dir / f"{stem}.ids.npy"

    def entry(self, shard: int) -> ShardEntry:
        first = shard * self.shard_rows
        return ShardEntry(
            name=shard_name(shard, NUM_SHARDS),
            first_row=first,
            num_rows=self.shard_rows,
            first_id=first,
            last_id=first + self.shard_rows - 1,
            codes=_NO_FILE,
            ids=_NO_FILE,
            payload=_NO_FILE,
        )

    def manifest(self) -> IndexManifest:
        return IndexManifest(
            index="billion",
            generation="one",
            collection="random",
            table_version=0,
            model_id="none",
            model_fingerprint="none",
            num_bits=NUM_BITS,
            num_rows=NUM_SHARDS * self.shard_rows,
            created_at="",
            builder="",
            shards=tuple(self.entry(shard) for shard in range(NUM_SHARDS)),
        )

    def queries(self, num_queries: int) -> BinaryCodes:
        return random_codes(np.random.default_rng(99), num_queries, NUM_BITS)


def write_shards(run: BillionRun) -> None:
    """Files that are there already are taken as they are."""
    run.data_dir.mkdir(parents=True, exist_ok=True)
    for shard in range(NUM_SHARDS):
        codes_path, ids_path = run.files(shard)
        if ids_path.exists():
            continue
        rng = np.random.default_rng(shard)
        codes = np.lib.format.open_memmap(codes_path, "w+", np.uint8, (run.shard_rows, NUM_BITS // 8))
        ids = np.lib.format.open_memmap(ids_path, "w+", np.int64, (run.shard_rows,))
        for start in range(0, run.shard_rows, _BLOCK_CODES):
            rows = slice(start, min(start + _BLOCK_CODES, run.shard_rows))
            codes[rows] = random_codes(rng, rows.stop - rows.start, NUM_BITS).packed
            ids[rows] = np.arange(rows.start, rows.stop) + shard * run.shard_rows
        codes.flush()
        ids.flush()


def open_searcher(run: BillionRun, shard: int) -> ShardSearcher:
    """Without a look at every byte, which `open_shard` would take: these files are made here."""
    codes_path, ids_path = run.files(shard)
    codes = BinaryCodes(np.load(codes_path, mmap_mode="r"), NUM_BITS)
    nothing = pa.RecordBatch.from_pydict({"key": pa.array([], pa.string())})
    opened = IndexShard(
        entry=run.entry(shard),
        codes=codes,
        ids=np.load(ids_path, mmap_mode="r"),
        payload_batches=(nothing,),
        search=ScanSearch(codes),
    )
    searcher = ShardSearcher([opened])
    searcher.warm_up()
    return searcher


@ray.remote(num_cpus=1)
class MappedSearcher:
    """As `SearcherActor`, over a shard of this benchmark."""

    def __init__(self, run: BillionRun, shard: int) -> None:
        self._searcher = open_searcher(run, shard)

    def search(self, queries: SearchQueries, k: int, scope: SearchScope) -> RankedNeighbors:
        return self._searcher.search(queries, k, scope)

    def memory(self) -> dict[str, int]:
        return _memory()


Search = Callable[[BinaryCodes, int], RankedNeighbors]


@contextmanager
def direct_search(run: BillionRun) -> Iterator[Search]:
    searchers = [open_searcher(run, shard) for shard in range(NUM_SHARDS)]
    with ThreadPoolExecutor(NUM_SHARDS) as pool:

        def search(queries: BinaryCodes, k: int) -> RankedNeighbors:
            return merge_ranked(list(pool.map(lambda one: one.search(queries, k, EVERYTHING), searchers)), k=k)

        yield search


@contextmanager
def routed_search(run: BillionRun) -> Iterator[Search]:
    actor_class: Any = MappedSearcher
    with ray_session(RaySettings(num_cpus=NUM_SHARDS)):
        actors = [actor_class.remote(run, shard) for shard in range(NUM_SHARDS)]
        ports = [
            SearcherPort(
                name=f"searcher {shard}",
                shard_names=(run.entry(shard).name,),
                search=call(actor.search),
                payload=_refused,
                codes_of=_refused,
                ids_of_key=_refused,
            )
            for shard, actor in enumerate(actors)
        ]
        router = QueryRouter(run.manifest(), ports, deadline_seconds=_DEADLINE_SECONDS)
        yield lambda queries, k: router.rank(queries, k=k).ranked
        print("actors", json.dumps(ray.get([actor.memory.remote() for actor in actors])), file=sys.stderr)


def one_thread_search(run: BillionRun) -> Iterator[Search]:
    """Shard after shard."""
    searchers = [open_searcher(run, shard) for shard in range(NUM_SHARDS)]
    yield lambda queries, k: merge_ranked([each.search(queries, k, EVERYTHING) for each in searchers], k=k)


PHASES = {"one_thread": contextmanager(one_thread_search), "direct": direct_search, "router": routed_search}


def run_phase(run: BillionRun, phase: str) -> dict[str, Any]:
    """Seconds of one query and of a batch, memory in bytes, and a digest of the answers."""
    with PHASES[phase](run) as search:
        single, batch = run.queries(1), run.queries(run.batch_queries)
        answers = [search(single, run.single_k), search(batch, run.batch_k)]
        seconds = {
            "single": repeat_timer(partial(search, single, run.single_k), num_repeats=run.num_repeats),
            "batch": repeat_timer(partial(search, batch, run.batch_k), num_repeats=run.num_repeats),
        }
    digest = [int(part.sum()) for answer in answers for part in (answer.distances, answer.ids)]
    return {"seconds": seconds, "memory": _memory(), "digest": digest}


def measure(run: BillionRun) -> dict[str, Measurement]:
    """Raises RuntimeError where phases answer differently."""
    write_shards(run)
    phases = {phase: _phase_in_a_process(run, phase) for phase in PHASES}
    if len({str(facts["digest"]) for facts in phases.values()}) != 1:
        raise RuntimeError(f"phases answer differently: { {name: facts['digest'] for name, facts in phases.items()} }")
    results: dict[str, Measurement] = {}
    for name, facts in phases.items():
        results[f"{name}.single_query"] = Measurement.of(facts["seconds"]["single"], "s")
        rates = [run.batch_queries / seconds for seconds in facts["seconds"]["batch"]]
        results[f"{name}.batch"] = Measurement.of(rates, "queries/s")
        for kind, size in facts["memory"].items():
            results[f"{name}.{kind}"] = Measurement.of([size / 2**30], "GiB")
    cost = results["direct.batch"].median / results["router.batch"].median - 1
    results["router_cost"] = Measurement.of([cost], "1")
    return results


def _phase_in_a_process(run: BillionRun, phase: str) -> dict[str, Any]:
    sizes = ["--codes", str(run.num_codes), "--repeats", str(run.num_repeats), "--data-dir", str(run.data_dir)]
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_billion_codes", *sizes, "--phase", phase],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    facts: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return facts


def _refused(*_: Any) -> Any:
    raise NotImplementedError("this benchmark ranks; it has no payload")


def _memory() -> dict[str, int]:
    facts = psutil.Process(os.getpid()).memory_info()
    return {"own": facts.rss - facts.shared, "resident": facts.rss}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    run = BillionRun(data_dir=options.data_dir.resolve(), num_codes=options.codes, num_repeats=options.repeats)
    if options.phase:
        print(json.dumps(run_phase(run, options.phase)))
        return 0
    results = measure(run)
    for name, figure in results.items():
        print(f"{name}: {figure.median:.4g} {figure.unit} ({figure.lower_quartile:.4g} to {figure.upper_quartile:.4g})")
    result = measured_here(
        "billion-codes",
        options.hardware,
        settings={
            "num_codes": run.num_codes,
            "num_bits": NUM_BITS,
            "num_shards": NUM_SHARDS,
            "batch_queries": run.batch_queries,
            "batch_k": run.batch_k,
            "single_k": run.single_k,
        },
        results=results,
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_billion_codes", __doc__)
    parser.add_argument("--codes", type=int, default=1_000_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data-dir", type=Path, default=Path("bench-data"), help="16 bytes per code are written there")
    parser.add_argument("--phase", choices=sorted(PHASES), help="one of them, in this process")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
