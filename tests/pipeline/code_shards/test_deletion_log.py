"""Deletions are kept, each in an object of its own; damage is an error, never a deletion forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.code_shards.deletion_log import DeletedItem, DeletionLog
from pipeline.errors import CorruptFile
from pipeline.object_store.local_store import LocalStore
from pipeline.object_store.s3_store import S3Store
from tests.s3_server import S3Server


def item(number: int) -> DeletedItem:
    return DeletedItem(id=number, key=f"{number}.png", uri=f"/pictures/{number}.png", content_sha256=f"{number:064x}")


def test_what_was_recorded_is_read_by_everybody(tmp_path: Path) -> None:
    log = DeletionLog(str(tmp_path), LocalStore())
    assert log.read() == ()
    log.record([item(1), item(2**62)], 3)
    first = log.read()
    log.record([item(2)], 4)
    assert log.read()[:1] == first
    other = DeletionLog(str(tmp_path), LocalStore()).read()
    assert [(deletion.table_version, deletion.items) for deletion in other] == [
        (3, (item(1), item(2**62))),
        (4, (item(2),)),
    ]
    assert other == log.read()


def test_on_s3(s3_server: S3Server) -> None:
    log = DeletionLog(f"{s3_server.uri}/collections/one", S3Store())
    log.record([item(1)], 0)
    log.record([item(2)], 0)
    assert {
        found.id
        for deletion in DeletionLog(f"{s3_server.uri}/collections/one", S3Store()).read()
        for found in deletion.items
    } == {1, 2}


def test_damage_is_refused(tmp_path: Path) -> None:
    DeletionLog(str(tmp_path), LocalStore()).record([item(1)], 3)
    (path,) = (tmp_path / "deletions").iterdir()
    path.write_bytes(path.read_bytes().replace(b"1.png", b"7.png"))
    with pytest.raises(CorruptFile, match="restore it from a backup"):
        DeletionLog(str(tmp_path), LocalStore()).read()


def test_what_a_killed_writer_leaves_is_no_deletion(tmp_path: Path) -> None:
    log = DeletionLog(str(tmp_path), LocalStore())
    log.record([item(1)], 3)
    (tmp_path / "deletions" / ".bitquarry-partial-x").write_bytes(os.urandom(9))
    assert len(DeletionLog(str(tmp_path), LocalStore()).read()) == 1
