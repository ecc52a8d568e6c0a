"""`RunReport`: what an encode job did and where its time went, as `run_report.json`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields

from pipeline.code_shards.encoded_task import EncodedTask
from pipeline.telemetry import StageLoad, StageTimes, name_bottleneck

DECODER_STAGES = ("fetch", "decode")
ENCODER_STAGES = ("encode", "write")
DRIVER_STAGES = ("list", "commit")


@dataclass(kw_only=True)
class RunReport:
    """Counts of this run, and busy seconds per stage summed over workers.

    listed = committed before + rows + rejects, once `state` is "complete" (else "interrupted" or "failed"). Times are
    seconds, rates per wall second. Without anything to encode no encoder starts and `device` is "none".
    """

    job: str
    collection: str
    source: str
    model_id: str
    model_fingerprint: str
    device: str = "none"
    num_encoders: int = 0
    num_decoders: int = 0
    state: str = "failed"
    num_tasks_committed_before: int = 0
    num_items_committed_before: int = 0
    num_tasks: int = 0
    num_items: int = 0
    num_rows: int = 0
    num_rejects: int = 0
    rejects_by_reason: Counter[str] = field(default_factory=Counter)
    num_bytes_read: int = 0
    num_bytes_written: int = 0
    num_superseded_tasks: int = 0
    num_retried_tasks: int = 0
    num_replaced_encoders: int = 0
    num_tasks_by_other_jobs: int = 0
    num_commit_conflicts: int = 0
    table_version: int = 0
    startup_seconds: float = 0.0
    wall_seconds: float = 0.0
    cpu_busy_share: float | None = None
    times: StageTimes = field(default_factory=StageTimes)

    def add(self, task: EncodedTask) -> None:
        """Count one encoded task. Encoders report in any order."""
        self.num_tasks += 1
        self.num_items += task.num_items
        self.num_rows += task.num_rows
        self.num_rejects += task.num_rejects
        self.rejects_by_reason.update(task.rejects_by_reason)
        self.num_bytes_read += task.num_bytes_read
        self.num_bytes_written += task.code_file.size_bytes
        self.times.add(task.stage_seconds)

    def loads(self) -> dict[str, StageLoad]:
        """Busy seconds of each stage over the workers that run it."""
        workers = dict.fromkeys(DECODER_STAGES, self.num_decoders)
        workers |= dict.fromkeys(ENCODER_STAGES, self.num_encoders) | dict.fromkeys(DRIVER_STAGES, 1)
        return {s: StageLoad(busy_seconds=self.times.seconds[s], num_workers=n) for s, n in workers.items()}

    @property
    def bottleneck(self) -> str:
        """The busiest stage, in words."""
        return name_bottleneck(self.loads(), self.wall_seconds)

    def to_json(self) -> str:
        facts = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "times"}
        per_second = 1 / self.wall_seconds if self.wall_seconds else 0.0
        loads = self.loads()
        facts["items_per_second"] = self.num_items * per_second
        facts["bytes_read_per_second"] = self.num_bytes_read * per_second
        facts["stages"] = {
            stage: {
                "busy_seconds": load.busy_seconds,
                "num_workers": load.num_workers,
                "busy_share": load.busy_share(self.wall_seconds),
                "items_per_busy_second": self.num_items / load.busy_seconds if load.busy_seconds else None,
            }
            for stage, load in loads.items()
        }
        facts["encoder_wait_seconds"] = self.times.seconds["wait_for_pixels"]
        facts["bottleneck"] = self.bottleneck
        return json.dumps(facts, indent=2, sort_keys=False) + "\n"
