"""A disk that is full in the middle of a shard: the job ends with the file named, nothing of it is visible, and the
same command finishes the rest."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from tests import command_line
from tests.faults.encode_corpus import EncodeCorpus, processes
from tests.faults.moments import at_moments

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

# Less than any shard. The encoder's next write stops here with EFBIG, as it would with ENOSPC on a full disk.
FULL_AT_BYTES = 1000


def fill_the_disk_of(driver: subprocess.Popen[str]) -> int:
    encoders = processes(driver, "ray::EncoderActor")
    for encoder in encoders:
        encoder.rlimit(resource.RLIMIT_FSIZE, (FULL_AT_BYTES, FULL_AT_BYTES))
    return len(encoders)


def encode_until_full(corpus: EncodeCorpus, collection: str) -> tuple[int, str, int]:
    """Exit code, complaints, and how many encoders met the full disk."""
    driver = command_line.start(*corpus.encode(collection))
    num_filled = 0
    for _ in at_moments(driver, lambda: corpus.num_written(collection), [3]):
        num_filled = fill_the_disk_of(driver)
    _, complaints = driver.communicate(timeout=200)
    return driver.returncode, complaints, num_filled


def test_a_write_that_breaks_off_is_never_visible(corpus: EncodeCorpus) -> None:
    exit_code, complaints, num_filled = encode_until_full(corpus, "full")
    assert num_filled > 0, "no encoder was found: the test showed nothing"
    assert exit_code == 1, complaints
    assert "Traceback" not in complaints
    folder = corpus.catalog / "collections" / "full"
    assert str(folder) in complaints
    assert "File too large" in complaints
    assert_only_whole_tasks(corpus, folder)
    command_line.run(*corpus.encode("full"), exit_code=3)
    corpus.assert_undisturbed("full")


def assert_only_whole_tasks(corpus: EncodeCorpus, folder: Path) -> None:
    content = corpus.content(folder.name)
    faults = content.faults(corpus.listed)
    assert faults, "every task was committed: nothing broke off"
    assert all(fault.startswith("missing") for fault in faults)
    assert set(content.codes) <= set(corpus.calm.codes)
    assert_no_cut_files(folder)


def assert_no_cut_files(folder: Path) -> None:
    """Neither under a shard's name nor under a name of its own."""
    files = [path for part in ("codes", "rejects") for path in (folder / part).iterdir() if path.is_file()]
    cut_short = [path for path in files if path.suffix != ".parquet" or path.stat().st_size <= FULL_AT_BYTES]
    assert not cut_short, f"cut short: {cut_short}"


def test_a_whole_run_does_not_pass_for_a_broken_one(corpus: EncodeCorpus) -> None:
    """Self-test: the undisturbed run, whose disk had room, is told from one that broke off, and a cut file is seen."""
    calm = corpus.catalog / "collections" / "calm"
    with pytest.raises(AssertionError, match="nothing broke off"):
        assert_only_whole_tasks(corpus, calm)
    cut = calm / "codes" / "cut.parquet"
    cut.write_bytes(b"PAR1")
    try:
        with pytest.raises(AssertionError, match="cut short"):
            assert_no_cut_files(calm)
    finally:
        cut.unlink()
