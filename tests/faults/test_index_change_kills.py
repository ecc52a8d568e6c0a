"""kill -9 of delete, add and compact before each of their writes: what answers is the generation of before or the one
of after, whole; the same command again completes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.jobs.delete_items import delete_items
from pipeline.jobs.search_index import open_search
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_verify import verify_generation
from pipeline.shard_index.shard_fetch import ShardFetcher
from tests import command_line
from tests.pipeline.jobs.growing_pictures import build, commit_pictures, keys_of
from tests.pipeline.jobs.search_examples import make_picture_catalog

BEFORE = {f"{number}.png" for number in range(20)}
GONE = ["3.png", "12.png"]
MOST_WRITES = 30


def change(catalog: Path, num_writes: int, job: str, *keys: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.dying_change", str(num_writes), job, str(catalog), *keys]
    return subprocess.run(
        command, env=command_line.environment(), cwd=command_line.ROOT, capture_output=True, text=True, timeout=60
    )


def answering(catalog: Path) -> set[str]:
    """Keys that the live generation finds, after every byte of it was verified."""
    manifest = IndexCatalog(str(catalog), LocalStore()).resolve("photos", "live")
    assert verify_generation(manifest, ShardFetcher(str(catalog), LocalStore())).problems == ()
    with open_search(str(catalog), "photos") as session:
        answer = session.query_hex("0000", k=100)
    assert answer.coverage.ratio == 1
    return keys_of(answer)


@pytest.mark.parametrize("job", ["delete", "add", "compact"])
def test_every_moment(tmp_path: Path, job: str) -> None:
    pictures = make_picture_catalog(str(tmp_path))
    build(pictures)
    before = BEFORE
    if job == "compact":
        delete_items(pictures.catalog, "photos", keys=GONE)
        before = BEFORE - set(GONE)
    if job == "add":
        commit_pictures(pictures, [20, 21], task=20)
    keys = GONE if job == "delete" else ()
    after = {"delete": BEFORE - set(GONE), "add": BEFORE | {"20.png", "21.png"}, "compact": before}[job]
    for num_writes in range(MOST_WRITES):
        ended = change(tmp_path, num_writes, job, *keys)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert answering(tmp_path) == before
    assert ended.stdout == "finished\n"
    assert num_writes >= 3, "killed at fewer moments than there are writes: the test showed nothing"
    assert answering(tmp_path) == after
    live = IndexCatalog(str(tmp_path), LocalStore()).resolve("photos", "live")
    again = change(tmp_path, MOST_WRITES, job, *keys)
    assert again.returncode == 0, again.stderr
    assert IndexCatalog(str(tmp_path), LocalStore()).resolve("photos", "live") == live


def test_two_deletes_at_once_both_take_effect(tmp_path: Path) -> None:
    pictures = make_picture_catalog(str(tmp_path))
    build(pictures)
    running = [
        command_line.start("delete", "-C", tmp_path, "-i", "photos", "--key", key, "--key", other, "--yes")
        for key, other in (("1.png", "2.png"), ("11.png", "12.png"))
    ]
    ended = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0, 0], ended
    assert answering(tmp_path) == BEFORE - {"1.png", "2.png", "11.png", "12.png"}
