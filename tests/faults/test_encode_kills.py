"""kill -9 of an encoder, of a decoder and of the driver at seeded moments; then the same command again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import command_line
from tests.faults.colour_corpus import CollectionContent, read_collection, write_corpus

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

NUM_PICTURES, NUM_BROKEN, TASK_ITEMS = 600, 5, 20
COMMIT_EACH_TASK = "encode: {commit_every_tasks: 1, task_attempts: 5}\nray: {num_cpus: 2}\n"


class Corpus:
    """A folder, a trained model, and what an undisturbed run makes of them."""

    def __init__(self, folder: Path) -> None:
        self.pictures = folder / "pictures"
        self.listed = write_corpus(self.pictures, num_pictures=NUM_PICTURES, num_broken=NUM_BROKEN)
        self.catalog = folder / "catalog"
        self.config = folder / "settings.yaml"
        self.config.write_text(COMMIT_EACH_TASK)
        options = ("--method", "lsh", "--num-bits", "64", "--features", "pixels", "--feature-set", "side=8")
        command_line.run("train", "-C", self.catalog, "-n", "m", "-s", self.pictures, *options)
        command_line.run(*self.encode("calm"), exit_code=3)
        self.calm = self.content("calm")

    def encode(self, collection: str) -> tuple[str | Path, ...]:
        options = ("-C", self.catalog, "--config", self.config, "--task-items", str(TASK_ITEMS))
        return ("encode", "-c", collection, "-m", "m", "-s", self.pictures, *options)

    def content(self, collection: str) -> CollectionContent:
        return read_collection(f"{self.catalog}/collections/{collection}")

    def num_written(self, collection: str) -> int:
        return len(list((self.catalog / "collections" / collection / "codes").glob("*.parquet")))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus(tmp_path_factory.mktemp("kills"))


def processes(driver: subprocess.Popen[str], title: str) -> list[psutil.Process]:
    """Ray processes under a driver by the title that Ray gives them."""
    try:
        children = psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if _title(child).startswith(title)]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def at_moments(driver: subprocess.Popen[str], reached: Callable[[], int], moments: list[int]) -> Iterator[int]:
    """Yield each moment once `reached` shows it; ends early with the driver."""
    for moment in moments:
        while reached() < moment:
            try:
                driver.wait(timeout=0.02)
                return
            except subprocess.TimeoutExpired:
                continue
        yield moment


def assert_undisturbed(corpus: Corpus, collection: str) -> None:
    content = corpus.content(collection)
    assert content.faults(corpus.listed) == []
    assert content.codes == corpus.calm.codes
    assert content.ids == corpus.calm.ids
    assert content.rejects == corpus.calm.rejects
    assert len(content.codes) == NUM_PICTURES


@pytest.mark.parametrize(("victim", "seed"), [("ray::EncoderActor", 1), ("ray::_decode", 2)])
def test_killed_workers_change_nothing(corpus: Corpus, victim: str, seed: int) -> None:
    collection = f"kill-{seed}"
    moments = sorted(random.Random(seed).sample(range(2, NUM_PICTURES // TASK_ITEMS - 4), 3))
    driver = command_line.start(*corpus.encode(collection))
    num_killed = 0
    for _ in at_moments(driver, lambda: corpus.num_written(collection), moments):
        for process in processes(driver, victim)[:1]:
            os.kill(process.pid, signal.SIGKILL)
            num_killed += 1
    output, complaints = driver.communicate(timeout=200)
    assert driver.returncode == 3, (seed, output, complaints)
    assert num_killed >= 1, "nothing was killed: the test showed nothing"
    assert_undisturbed(corpus, collection)


def test_killed_driver_and_the_same_command_again(corpus: Corpus) -> None:
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
    assert_undisturbed(corpus, "driver")


def test_without_retries_the_same_kill_goes_red(corpus: Corpus, tmp_path: Path) -> None:
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


def test_the_count_notices_lost_doubled_and_foreign_rows(corpus: Corpus) -> None:
    """Self-test of the oracle: each kind of damage is named."""
    codes, ids, rejects = corpus.calm.codes, corpus.calm.ids, corpus.calm.rejects
    lost = CollectionContent(codes[1:], ids[1:], rejects).faults(corpus.listed)
    doubled = CollectionContent((*codes, codes[0]), (*ids, ids[0]), rejects).faults(corpus.listed)
    foreign = CollectionContent((*codes, ("other.png", b"")), (*ids, -1), rejects).faults(corpus.listed)
    assert lost == [f"missing {codes[0][0]}"]
    assert doubled == [f"2 times {codes[0][0]}", f"id {ids[0]} twice"]
    assert foreign == ["phantom other.png"]
