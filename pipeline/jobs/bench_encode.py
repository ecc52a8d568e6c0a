"""The encode benchmark: the whole `encode` command against one bare loop per core, by turns, on the same photos."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from pipeline.encoding.bare_loop import LoopShare, LoopTimes
from pipeline.errors import PipelineError
from pipeline.jobs.compared_rates import compared_rates, ratios_by_round
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.local_store import LocalStore
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings, make_photo_corpus
from pipeline.sources.source_settings import SourceSettings
from pipeline.training.fit_request import FitRequest
from pipeline.training.model_fitting import fit_model

_MODEL = "bench"
_RAY_WORKER_NICENESS = 15


@dataclass(frozen=True, kw_only=True)
class BenchEncodeSettings:
    """`command`: how to start bitquarry. Photos are kept below `data_dir` and used again; the rest is removed.

    The model is LSH on HOG with `num_bits` bits; ITQ costs the same in encoding, and more in fitting. Job and loops run
    `num_repeats` times each, by turns.
    """

    command: tuple[str, ...]
    data_dir: Path
    photos: PhotoCorpusSettings
    num_repeats: int = 3
    num_bits: int = 64
    task_items: int = 512


@dataclass(frozen=True, kw_only=True)
class EncodeRound:
    """One run of each, in seconds: from the start of the command to its end, and the same without start-up (Python,
    imports, Ray, loading the model). `load_before`: the machine's load average over a minute, before the two."""

    job_seconds: float
    job_working_seconds: float
    loop_seconds: float
    loop_working_seconds: float
    load_before: float


@dataclass(frozen=True, kw_only=True)
class EncodeBenchResult:
    """`to_json` gives rates in pictures per second, medians over the rounds."""

    settings: BenchEncodeSettings
    num_processes: int
    rounds: tuple[EncodeRound, ...]
    last_report: Mapping[str, Any]

    def rates(self, name: str) -> list[float]:
        """Pictures per second of each round, by a field of `EncodeRound`."""
        return [self.settings.photos.num_files / getattr(each, name) for each in self.rounds]

    def ratios(self, job: str, loop: str) -> list[float]:
        """The job's rate over the loop's, round by round."""
        return ratios_by_round(self.rates(job), self.rates(loop))

    def _compared(self, job: str, loop: str) -> dict[str, Any]:
        return compared_rates(self.rates(job), self.rates(loop))

    def to_json(self) -> dict[str, Any]:
        """`figure`: the whole job. `comparator`: the loops. `ratio`: figure / comparator; start-up is in all three."""
        photos = self.settings.photos
        return {
            "bench": "encode",
            "unit": "pictures/s",
            **self._compared("job_seconds", "loop_seconds"),
            "without_startup": self._compared("job_working_seconds", "loop_working_seconds"),
            "comparator_is": f"{self.num_processes} plain processes: the same decode, features, hash and Parquet write",
            "num_pictures": photos.num_files,
            "num_copies_of_each": photos.num_copies,
            "picture_pixels": [photos.width, photos.height],
            "model": f"hog + lsh, {self.settings.num_bits} bits",
            "task_items": self.settings.task_items,
            "job_bottleneck": self.last_report["bottleneck"],
            "rounds": [dataclasses.asdict(each) for each in self.rounds],
        }


def bench_encode(settings: BenchEncodeSettings, on_progress: Callable[[str], None]) -> EncodeBenchResult:
    """Make the photos if need be, then measure. Job and loops must give equal codes.

    Raises `PipelineError` when a command fails or the codes differ.
    """
    on_progress(f"photos in {settings.data_dir}")
    folder = make_photo_corpus(settings.data_dir, settings.photos)
    work = settings.data_dir / f"work-{os.getpid()}"
    work.mkdir()
    try:
        bench = _EncodeBench(settings, folder, work)
        bench.prepare()
        rounds = []
        for number in range(settings.num_repeats):
            rounds.append(bench.round(number))
            on_progress(
                f"round {number + 1} of {settings.num_repeats}: job {rounds[-1].job_seconds:.1f} s, "
                f"loops {rounds[-1].loop_seconds:.1f} s"
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return EncodeBenchResult(
        settings=settings, num_processes=bench.num_processes, rounds=tuple(rounds), last_report=bench.last_report
    )


class _EncodeBench:
    def __init__(self, settings: BenchEncodeSettings, photos: Path, work: Path) -> None:
        self._settings = settings
        self._photos = photos
        self._work = work
        self._catalog = work / "catalog"
        self.num_processes = len(os.sched_getaffinity(0))
        self.last_report: dict[str, Any] = {}

    def prepare(self) -> None:
        """Fit the model, and read every photo once, so that all rounds find them in the same place: in memory, if
        they fit there."""
        source = SourceSettings(uri=str(self._photos))
        model, lineage = fit_model(
            FitRequest(method="lsh", num_bits=self._settings.num_bits, features="hog", source=source, sample_items=2000)
        )
        ModelStore(str(self._catalog), LocalStore()).save(_MODEL, model, lineage)
        for photo in self._photos.rglob("*.jpg"):
            photo.read_bytes()

    def round(self, number: int) -> EncodeRound:
        load = psutil.getloadavg()[0]
        job_seconds = self._run_job(f"round{number}")
        loop_seconds, loop_working_seconds = self._run_loops(self._work / f"loops{number}")
        if self._codes_of_job(f"round{number}") != _codes_of(self._work / f"loops{number}" / "codes"):
            raise PipelineError("the job and the bare loops gave different codes; neither figure means anything")
        return EncodeRound(
            job_seconds=job_seconds,
            job_working_seconds=self.last_report["wall_seconds"] - self.last_report["startup_seconds"],
            loop_seconds=loop_seconds,
            loop_working_seconds=loop_working_seconds,
            load_before=load,
        )

    def _run_job(self, collection: str) -> float:
        started = time.perf_counter()
        options = ("--catalog", self._catalog, "--collection", collection, "--model", _MODEL, "--source", self._photos)
        arguments = ("encode", *options, "--task-items", self._settings.task_items, "--json")
        finished = subprocess.run(
            [*self._settings.command, *map(str, arguments)], check=False, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
        if finished.returncode != 0:
            raise PipelineError(f"encode ended with exit code {finished.returncode}: {finished.stderr.strip()}")
        self.last_report = json.loads(finished.stdout)
        return seconds

    def _run_loops(self, out: Path) -> tuple[float, float]:
        """Seconds with and without the start of the processes."""
        out.mkdir()
        shares = [self._share(out, process) for process in range(self.num_processes)]
        started = time.perf_counter()
        processes = [_start_loop(share) for share in shares]
        exit_codes = [process.wait() for process in processes]
        seconds = time.perf_counter() - started
        if any(exit_codes):
            raise PipelineError(f"the bare loops ended with exit codes {exit_codes}")
        times = [LoopTimes(**json.loads(Path(share.finished).read_text(encoding="utf-8"))) for share in shares]
        return seconds, max(each.ended for each in times) - min(each.started for each in times)

    def _share(self, out: Path, process: int) -> LoopShare:
        return LoopShare(
            catalog=str(self._catalog),
            model=_MODEL,
            folder=str(self._photos),
            out=str(out),
            finished=str(out / f"finished-{process}.json"),
            process=process,
            num_processes=self.num_processes,
            pictures_per_shard=self._settings.task_items,
        )

    def _codes_of_job(self, collection: str) -> list[tuple[str, bytes]]:
        if self.last_report["num_retried_tasks"]:
            raise PipelineError("a task was retried, which costs time; run the benchmark again")
        return _codes_of(self._catalog / "collections" / collection / "codes")


def _start_loop(share: LoopShare) -> subprocess.Popen[bytes]:
    """One thread for BLAS, and the niceness of Ray's workers: otherwise whatever else the machine does would take its
    time from the job alone."""
    order = Path(share.out) / f"share-{share.process}.json"
    order.write_text(json.dumps(dataclasses.asdict(share)), encoding="utf-8")
    command = ["nice", "-n", str(_RAY_WORKER_NICENESS), sys.executable, "-m", "pipeline.encoding.bare_loop", str(order)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})


def _codes_of(folder: Path) -> list[tuple[str, bytes]]:
    """(key, code) of all shards in a folder."""
    tables = [pq.read_table(shard, columns=["key", "code"]) for shard in folder.glob("*.parquet")]
    return sorted(
        pair for table in tables for pair in zip(table["key"].to_pylist(), table["code"].to_pylist(), strict=True)
    )
