"""The report adds up what encoders measured and names the bottleneck."""

from __future__ import annotations

import json

from pipeline.code_shards.encoded_task import EncodedTask, ShardFile
from pipeline.encoding.run_report import RunReport


def task(num_rows: int, rejects: dict[str, int], **seconds: float) -> EncodedTask:
    num_rejects = sum(rejects.values())
    return EncodedTask(
        source_id="0" * 16,
        task_id="1" * 32,
        salt=0,
        attempt="2" * 16,
        code_file=ShardFile(name="x", size_bytes=100, sha256="3" * 64, num_rows=num_rows),
        rejects_file=None,
        num_items=num_rows + num_rejects,
        num_rows=num_rows,
        num_rejects=num_rejects,
        rejects_by_reason=rejects,
        stage_seconds=seconds,
        num_bytes_read=1000,
    )


def report() -> RunReport:
    return RunReport(
        job="encode-c-1",
        collection="c",
        source="/s",
        model_id="m@1",
        model_fingerprint="f",
        device="cpu",
        num_encoders=1,
        num_decoders=2,
    )


def test_counts_and_stages_of_all_tasks() -> None:
    running = report()
    running.add(task(8, {"undecodable": 2}, fetch=1.0, decode=6.0, encode=3.0))
    running.add(task(9, {"undecodable": 0, "too_large": 1}, fetch=1.0, decode=12.0, encode=3.0))
    running.wall_seconds = 10.0
    facts = json.loads(running.to_json())
    assert (facts["num_items"], facts["num_rows"], facts["num_rejects"]) == (20, 17, 3)
    assert facts["rejects_by_reason"] == {"undecodable": 2, "too_large": 1}
    assert (facts["items_per_second"], facts["bytes_read_per_second"]) == (2.0, 200.0)
    assert facts["stages"]["decode"] == {
        "busy_seconds": 18.0,
        "num_workers": 2,
        "busy_share": 0.9,
        "items_per_busy_second": 20 / 18,
    }
    assert facts["stages"]["encode"]["busy_share"] == 0.6
    assert facts["bottleneck"].startswith("decode (90% busy)")
