"""What a job measured: busy seconds and counts per stage, added up across workers, and the bottleneck in words."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class StageTimes:
    """Busy seconds by stage. Adding is associative and commutative, so workers may report in any order."""

    seconds: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started  # type: ignore[assignment]

    def add(self, seconds: Mapping[str, float]) -> None:
        for name, value in seconds.items():
            self.seconds[name] += value  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class StageLoad:
    """One stage over a whole job: `busy_seconds` summed over the `num_workers` that can run it at the same time."""

    busy_seconds: float
    num_workers: int

    def busy_share(self, wall_seconds: float) -> float:
        worker_seconds = self.num_workers * wall_seconds
        return self.busy_seconds / worker_seconds if worker_seconds > 0 else 0.0


_REMEDY = {
    "list": "the listing: give a Parquet, Delta or WebDataset source, whose listing is one line per file",
    "fetch": "fetching bytes from the source: more decoders hide latency, a nearer bucket removes it",
    "decode": "decoding pictures: add CPU cores (decoders)",
    "encode": "features and hashing: add encoders, or a GPU where the features can use one",
    "write": "writing code shards: the catalog's store is slow for this job",
    "commit": "committing: raise encode.commit_every_tasks",
}


def name_bottleneck(loads: Mapping[str, StageLoad], wall_seconds: float) -> str:
    """The stage whose workers were busiest, in words that say what to do about it.

    When no stage was busy for half of the time, the job was too short to have one (start-up dominates).
    """
    shares = {stage: load.busy_share(wall_seconds) for stage, load in loads.items()}
    stage = max(shares, key=lambda name: (shares[name], name), default="")
    if not stage or shares[stage] < 0.5:
        return "none: no stage was busy for half of the time; start-up or waiting between stages dominates"
    return f"{stage} ({shares[stage]:.0%} busy): {_REMEDY.get(stage, stage)}"
