"""A corpus of some dozen tasks, a model, and what an undisturbed `encode` command makes of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil

from tests import command_line
from tests.faults.colour_corpus import CollectionContent, read_collection, write_corpus

NUM_PICTURES, NUM_BROKEN, TASK_ITEMS = 600, 5, 20
COMMIT_EACH_TASK = "encode: {commit_every_tasks: 1, task_attempts: 5}\nray: {num_cpus: 2}\n"
MODEL_OPTIONS = ("--method", "lsh", "--num-bits", "64", "--features", "pixels", "--feature-set", "side=8")


class EncodeCorpus:
    """A folder, a trained model, and what an undisturbed run makes of them."""

    def __init__(self, folder: Path) -> None:
        self.pictures = folder / "pictures"
        self.listed = write_corpus(self.pictures, num_pictures=NUM_PICTURES, num_broken=NUM_BROKEN)
        self.catalog = folder / "catalog"
        self.config = folder / "settings.yaml"
        self.config.write_text(COMMIT_EACH_TASK)
        command_line.run("train", "-C", self.catalog, "-n", "m", "-s", self.pictures, *MODEL_OPTIONS)
        command_line.run(*self.encode("calm"), exit_code=3)
        self.calm = self.content("calm")

    def encode(self, collection: str) -> tuple[str | Path, ...]:
        options = ("-C", self.catalog, "--config", self.config, "--task-items", str(TASK_ITEMS))
        return ("encode", "-c", collection, "-m", "m", "-s", self.pictures, *options)

    def content(self, collection: str) -> CollectionContent:
        return read_collection(f"{self.catalog}/collections/{collection}")

    def num_written(self, collection: str) -> int:
        return len(list((self.catalog / "collections" / collection / "codes").glob("*.parquet")))

    def assert_undisturbed(self, collection: str) -> None:
        """The collection is whole, and equal to the one that nobody disturbed."""
        content = self.content(collection)
        assert content.faults(self.listed) == []
        assert content == self.calm
        assert len(content.codes) == NUM_PICTURES


def processes(driver: subprocess.Popen[str], title: str) -> list[psutil.Process]:
    """Ray processes under a driver by the title that Ray gives them."""
    try:
        children = psutil.Process(driver.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if _title(child).startswith(title)]


def next_process(driver: subprocess.Popen[str], title: str) -> psutil.Process | None:
    """The first Ray process of a title, waited for: tasks carry theirs while they run. None once the driver ended."""
    while driver.poll() is None:
        if found := processes(driver, title):
            return found[0]
    return None


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
