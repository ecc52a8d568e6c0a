"""`encode` against S3 when the network fails at commits and uploads: a task is committed once, whatever was lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import command_line
from tests.fault_proxy import Fault, FaultProxy
from tests.faults.colour_corpus import read_collection, write_corpus
from tests.faults.encode_corpus import MODEL_OPTIONS
from tests.s3_server import S3Server

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

NUM_PICTURES, NUM_BROKEN, REJECTS = 40, 2, 3
# delta-rs writes version N of a table by one PUT of this name.
COMMIT_OF_CODES = r".*/codes/_delta_log/\d{20}\.json.*"
COMMIT_OF_REJECTS = r".*/rejects/_delta_log/\d{20}\.json.*"
SHARD_OF_CODES = r".*/codes/[^/]*\.parquet.*"
# Versions of the codes table: 0 creates it, 1 settles, then one per task.
FIRST_TASK = 2


class RemoteRun:
    """A local folder of pictures, encoded into collections of a catalog on S3."""

    def __init__(self, folder: Path, catalog: str) -> None:
        self.catalog = catalog
        self.pictures = folder / "pictures"
        self.listed = write_corpus(self.pictures, num_pictures=NUM_PICTURES, num_broken=NUM_BROKEN)
        self.config = folder / "settings.yaml"
        self.config.write_text("encode: {commit_every_tasks: 1}\nsource: {task_items: 12}\nray: {num_cpus: 2}\n")
        command_line.run("train", "-C", catalog, "-n", "m", "-s", self.pictures, *MODEL_OPTIONS)

    def command(self, collection: str) -> tuple[str | Path, ...]:
        options = ("-C", self.catalog, "--config", self.config, "-m", "m", "-s", self.pictures)
        return ("encode", "-c", collection, *options)

    def assert_whole(self, collection: str) -> None:
        content = read_collection(f"{self.catalog}/collections/{collection}")
        assert content.faults(self.listed) == []
        assert (len(content.codes), len(content.rejects)) == (NUM_PICTURES, NUM_BROKEN)


def was_due(fault: Fault, proxy: FaultProxy) -> bool:
    """Whether as many requests matched as the fault waits for."""
    return sum(fault.matches(method, target) for method, target in proxy.requests) > fault.nth


def test_faults_at_commits_and_uploads(s3_server: S3Server, fault_proxy: FaultProxy, tmp_path: Path) -> None:
    """One catalog and one training for all of it; each part has a collection of its own."""
    run = RemoteRun(tmp_path, f"{s3_server.uri}/catalog")
    lost_replies(run, fault_proxy)
    refused_commits(run, fault_proxy)
    uploads_that_break_off(run, fault_proxy)


def lost_replies(run: RemoteRun, proxy: FaultProxy) -> None:
    """What was asked for was done, and nobody said so: it must not be done a second time."""
    faults = [
        Fault(action="lost_reply", method="PUT", target=COMMIT_OF_CODES, nth=FIRST_TASK),
        Fault(action="lost_reply", method="PUT", target=COMMIT_OF_REJECTS, nth=1),
        Fault(action="lost_reply", method="PUT", target=SHARD_OF_CODES, nth=1),
    ]
    proxy.plan(faults)
    command_line.run(*run.command("lost"), exit_code=REJECTS)
    assert [was_due(fault, proxy) for fault in faults] == [True, True, True], proxy.requests
    run.assert_whole("lost")
    report = json.loads(command_line.run(*run.command("lost"), "--json"))
    assert report["num_tasks"] == 0, "a task was encoded again"


def refused_commits(run: RemoteRun, proxy: FaultProxy) -> None:
    """Self-test of the part above: a commit that was not made is not taken for one whose reply was lost."""
    refusal = Fault(
        action="status",
        method="PUT",
        target=COMMIT_OF_CODES,
        nth=FIRST_TASK,
        times=10_000,
        status=403,
        code="AccessDenied",
    )
    proxy.plan([refusal])
    line = command_line.complaint(*run.command("refused"), exit_code=1)
    assert "/collections/refused/codes" in line
    assert "run the command again" in line
    assert_heals(run, proxy, "refused")


def uploads_that_break_off(run: RemoteRun, proxy: FaultProxy) -> None:
    """The connection breaks in the middle of every shard but the first."""
    proxy.plan([Fault(action="reset", method="PUT", target=SHARD_OF_CODES, nth=1, times=10_000)])
    line = command_line.complaint(*run.command("broken-off"), exit_code=1)
    assert "/collections/broken-off/codes/" in line
    assert_heals(run, proxy, "broken-off")


def assert_heals(run: RemoteRun, proxy: FaultProxy, collection: str) -> None:
    """Nothing but whole tasks is visible, and the same command does the rest once the store is back."""
    proxy.plan([])
    faults = read_collection(f"{run.catalog}/collections/{collection}").faults(run.listed)
    assert faults, "nothing was missing: the test showed nothing"
    assert all(fault.startswith("missing") for fault in faults)
    command_line.run(*run.command(collection), exit_code=REJECTS)
    run.assert_whole(collection)
