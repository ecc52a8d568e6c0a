from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.committer import Committer
from pipeline.code_shards.orphan_files import delete_files, orphan_files
from pipeline.errors import UsageError
from pipeline.object_store.local_store import LocalStore
from pipeline.object_store.open_store import open_store
from tests.pipeline.code_shards.shard_examples import IDENTITY, stored_task
from tests.s3_server import S3Server


def make_old(path: Path, hours: float) -> None:
    seconds = time.time() - hours * 3600
    os.utime(path, (seconds, seconds))


def test_only_old_files_that_nobody_refers_to_are_listed(tmp_path: Path) -> None:
    table = CodeTable.create(str(tmp_path), IDENTITY)
    committer = Committer(table)
    kept, killed, running = (stored_task(table.uri, number, num_rejects=1) for number in range(3))
    committer.add(kept)
    committer.finish()
    for task, hours in ((kept, 50.0), (killed, 50.0), (running, 1.0)):
        assert task.rejects_file is not None
        make_old(tmp_path / "codes" / task.code_file.name, hours)
        make_old(tmp_path / "rejects" / task.rejects_file.name, hours)
    assert killed.rejects_file is not None
    left = [f"{table.codes_uri}/{killed.code_file.name}", f"{table.rejects_uri}/{killed.rejects_file.name}"]
    assert orphan_files(table, grace_hours=24) == left
    assert orphan_files(table) == []
    assert delete_files(LocalStore(), left) == 2
    assert not any(Path(uri).exists() for uri in left)
    assert orphan_files(table, grace_hours=24) == []
    assert table.snapshot().version == 1


def test_a_file_removed_just_now_is_kept_for_its_readers(tmp_path: Path) -> None:
    table = CodeTable.create(str(tmp_path), IDENTITY)
    task = stored_task(table.uri)
    committer = Committer(table)
    committer.add(task)
    committer.finish()
    make_old(tmp_path / "codes" / task.code_file.name, 1000)
    committer.finish(superseded=[task.shard_name])
    assert table.snapshot().shards == ()
    assert orphan_files(table, grace_hours=24) == []


def test_a_grace_that_endangers_running_jobs_is_refused(tmp_path: Path) -> None:
    table = CodeTable.create(str(tmp_path), IDENTITY)
    with pytest.raises(UsageError, match="grace_hours = 0: expected at least 1"):
        orphan_files(table, grace_hours=0)


def test_new_files_on_s3_are_within_the_grace(s3_server: S3Server) -> None:
    table = CodeTable.create(f"{s3_server.uri}/photos", IDENTITY)
    task = stored_task(table.uri)
    assert orphan_files(table, grace_hours=1) == []
    assert delete_files(open_store(table.uri), [f"{table.codes_uri}/{task.code_file.name}"]) == 1
