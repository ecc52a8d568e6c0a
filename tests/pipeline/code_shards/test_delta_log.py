from __future__ import annotations

import json
from pathlib import Path

import pytest
from deltalake.exceptions import CommitFailedError

from pipeline.code_shards.code_table import CodeTable
from pipeline.code_shards.delta_log import DeltaLog, LogChange
from pipeline.code_shards.log_state import CommittedShard
from pipeline.errors import StorageError
from tests.pipeline.code_shards.shard_examples import IDENTITY
from tests.pipeline.code_shards.test_log_state import shard_of


@pytest.fixture
def log(tmp_path: Path) -> DeltaLog:
    return DeltaLog(CodeTable.create(str(tmp_path), IDENTITY).codes_uri)


def with_ids(shard: CommittedShard) -> CommittedShard:
    first = shard.name.prefix << 20
    return CommittedShard(
        name=shard.name, size_bytes=shard.size_bytes, num_rows=shard.num_rows, min_id=first, max_id=first + 8
    )


def test_what_was_committed_is_read_back(log: DeltaLog) -> None:
    shards = [with_ids(shard_of(number)) for number in range(1, 4)]
    state = log.read()
    log.commit(state, LogChange(commit_id="one", adds=tuple(shards)))
    log.commit(state, LogChange(commit_id="two", adds=(shard_of(0),), removes=(shards[0].name.file_name,)))
    fresh = DeltaLog(log.uri).read()
    assert fresh == state
    assert set(fresh.shards.values()) == {shards[1], shards[2], shard_of(0)}
    assert (fresh.version, fresh.transaction) == (2, 2)


def test_older_versions_stay_readable(log: DeltaLog) -> None:
    state = log.read()
    log.commit(state, LogChange(commit_id="one", adds=(shard_of(1),)))
    log.commit(state, LogChange(commit_id="two", adds=(shard_of(2),)))
    assert list(log.read(version=1).shards.values()) == [shard_of(1)]
    log.commit(state, LogChange(commit_id="three", adds=(shard_of(3),)))
    assert len(log.read().shards) == 3
    with pytest.raises(StorageError, match="cannot read the table at version 9"):
        log.read(version=9)


def test_a_commit_on_a_stale_state_is_refused(log: DeltaLog) -> None:
    stale, state = log.read(), DeltaLog(log.uri).read()
    DeltaLog(log.uri).commit(state, LogChange(commit_id="first", adds=(shard_of(1),)))
    before = list(stale.shards)
    with pytest.raises(CommitFailedError):
        log.commit(stale, LogChange(commit_id="second", adds=(shard_of(2),)))
    assert (stale.version, list(stale.shards)) == (0, before)
    assert list(log.read().shards.values()) == [shard_of(1)]


def test_the_log_says_who_committed_and_why(log: DeltaLog) -> None:
    log.commit(log.read(), LogChange(commit_id="abc", purpose="settle"))
    lines = (Path(log.uri) / "_delta_log" / f"{1:020}.json").read_text().splitlines()
    info = next(entry["commitInfo"] for entry in map(json.loads, lines) if "commitInfo" in entry)
    assert (info["commit_id"], info["purpose"]) == ("abc", "settle")


def test_creating_twice_keeps_the_first(log: DeltaLog) -> None:
    log.commit(log.read(), LogChange(commit_id="one", adds=(shard_of(1),)))
    CodeTable.create(str(Path(log.uri).parent), IDENTITY)
    assert list(log.read().shards.values()) == [shard_of(1)]


def test_no_table_is_not_an_empty_one(tmp_path: Path) -> None:
    log = DeltaLog(str(tmp_path / "nothing"))
    assert log.configuration() is None
    with pytest.raises(StorageError, match="nothing: cannot read the table"):
        log.read()
    assert not (tmp_path / "nothing").exists()


def test_foreign_files_in_the_table_are_named(log: DeltaLog) -> None:
    entry = Path(log.uri) / "_delta_log" / f"{1:020}.json"
    add = {"path": "part-0.parquet", "size": 1, "partitionValues": {}, "modificationTime": 0, "dataChange": True}
    entry.write_text(json.dumps({"add": add}) + "\n")
    with pytest.raises(StorageError, match=r"'part-0\.parquet' is not the name of a shard"):
        log.read()
