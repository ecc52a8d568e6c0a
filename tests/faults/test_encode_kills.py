"""kill -9 of an encoder, of a decoder and of the driver at seeded moments; then the same command again."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from tests import command_line
from tests.faults.colour_corpus import CollectionContent
from tests.faults.encode_corpus import NUM_PICTURES, TASK_ITEMS, EncodeCorpus, next_process, processes
from tests.faults.moments import at_moments

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


@pytest.mark.parametrize(("victim", "seed"), [("ray::EncoderActor", 1), ("ray::_decode", 2)])
def test_killed_workers_change_nothing(corpus: EncodeCorpus, victim: str, seed: int) -> None:
    collection = f"kill-{seed}"
    moments = sorted(random.Random(seed).sample(range(2, NUM_PICTURES // TASK_ITEMS - 4), 3))
    driver = command_line.start(*corpus.encode(collection))
    num_killed = 0
    for _ in at_moments(driver, lambda: corpus.num_written(collection), moments):
        if process := next_process(driver, victim):
            os.kill(process.pid, signal.SIGKILL)
            num_killed += 1
    output, complaints = driver.communicate(timeout=200)
    assert driver.returncode == 3, (seed, output, complaints)
    assert num_killed >= 1, "nothing was killed: the test showed nothing"
    corpus.assert_undisturbed(collection)


def test_killed_driver_and_the_same_command_again(corpus: EncodeCorpus) -> None:
    moments = random.Random(3).sample(range(1, 8), 3)
    num_killed = 0
    for moment in moments:
        before = corpus.num_written("driver")
        driver = command_line.start(*corpus.encode("driver"))
        for _ in at_moments(driver, lambda before=before: corpus.num_written("driver") - before, [moment]):  # type: ignore[misc]
            os.kill(driver.pid, signal.SIGKILL)
            num_killed += 1
        driver.communicate(timeout=200)
    assert num_killed >= 1, "nothing was killed: the test showed nothing"
    rerun = command_line.start(*corpus.encode("driver"))
    output, complaints = rerun.communicate(timeout=200)
    assert rerun.returncode in (0, 3), (output, complaints)
    corpus.assert_undisturbed("driver")


def test_without_retries_the_same_kill_goes_red(corpus: EncodeCorpus, tmp_path: Path) -> None:
    """Self-test: the protection under test is the pool's retry; without it a killed encoder fails the job."""
    config = tmp_path / "settings.yaml"
    encode = "{commit_every_tasks: 1, task_attempts: 1, decoders_per_encoder: 1}"
    config.write_text(f"encode: {encode}\nray: {{num_cpus: 2}}\n")
    command = [config if part == corpus.config else part for part in corpus.encode("red")]
    driver = command_line.start(*command)
    for _ in at_moments(driver, lambda: corpus.num_written("red"), [2]):
        for process in processes(driver, "ray::EncoderActor"):
            os.kill(process.pid, signal.SIGKILL)
    _, complaints = driver.communicate(timeout=200)
    assert driver.returncode == 1
    assert "a task failed 1 times" in complaints
    assert any(fault.startswith("missing") for fault in corpus.content("red").faults(corpus.listed))


def test_the_count_notices_lost_doubled_and_foreign_rows(corpus: EncodeCorpus) -> None:
    """Self-test of the oracle: each kind of damage is named."""
    codes, ids, rejects = corpus.calm.codes, corpus.calm.ids, corpus.calm.rejects
    lost = CollectionContent(codes[1:], ids[1:], rejects).faults(corpus.listed)
    doubled = CollectionContent((*codes, codes[0]), (*ids, ids[0]), rejects).faults(corpus.listed)
    foreign = CollectionContent((*codes, ("other.png", b"")), (*ids, -1), rejects).faults(corpus.listed)
    assert lost == [f"missing {codes[0][0]}"]
    assert doubled == [f"2 times {codes[0][0]}", f"id {ids[0]} twice"]
    assert foreign == ["phantom other.png"]
