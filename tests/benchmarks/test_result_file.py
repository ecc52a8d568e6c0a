"""Result files: the format, the file name, and the refusal of uncommitted changes."""

import statistics
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmarks.result_file import RESULTS_FOLDER, DirtyTree, Measurement, ResultFile, measured_here

_SPEED = Measurement.of([3.0, 1.0, 2.0, 4.0, 5.0], "items/s")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "benchmarks" / "results").mkdir(parents=True)
    (folder / "code.py").write_text("x = 1\n", encoding="utf-8")
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "first")
    return folder


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def _measure(checkout: Path, *, name: str = "hamming-scan", allow_dirty: bool = False) -> ResultFile:
    return measured_here(
        name, "2-core", settings={"num_bits": 64}, results={"speed": _SPEED}, allow_dirty=allow_dirty, checkout=checkout
    )


def test_median_and_quartiles() -> None:
    assert (_SPEED.lower_quartile, _SPEED.median, _SPEED.upper_quartile, _SPEED.num_values) == (2.0, 3.0, 4.0, 5)


def test_spread_of_few_values_is_their_extremes() -> None:
    few = Measurement.of([4.0, 1.0, 2.0], "s")
    assert (few.lower_quartile, few.median, few.upper_quartile) == (1.0, 2.0, 4.0)


def test_no_values_are_refused() -> None:
    with pytest.raises(statistics.StatisticsError):
        Measurement.of([], "s")


def test_a_written_result_reads_back(checkout: Path) -> None:
    result = _measure(checkout)
    path = result.write(checkout / "benchmarks" / "results")
    assert path.name == f"hamming-scan_2-core_{result.date:%Y%m}.json"
    assert ResultFile.read(path) == result
    assert not result.commit.endswith("-dirty")


@pytest.mark.parametrize("changed", ["code.py", "new_file.py"])
def test_uncommitted_changes_are_refused_or_marked(checkout: Path, changed: str) -> None:
    (checkout / changed).write_text("x = 2\n", encoding="utf-8")
    with pytest.raises(DirtyTree, match=f"uncommitted changes: {changed}; commit them"):
        _measure(checkout)
    assert _measure(checkout, allow_dirty=True).commit.endswith("-dirty")


def test_another_result_file_is_no_change(checkout: Path) -> None:
    _measure(checkout, name="first").write(checkout / "benchmarks" / "results")
    assert not _measure(checkout, name="second").commit.endswith("-dirty")


@pytest.mark.parametrize("name", ["Hamming Scan", "a_b", "../x", ""])
def test_names_that_do_not_fit_a_file_name_are_refused(checkout: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="part of a file name"):
        _measure(checkout, name=name)


def test_every_committed_result_is_clean_and_well_named() -> None:
    for path in RESULTS_FOLDER.glob("*.json"):
        result = ResultFile.read(path)
        assert path.name == result.file_name
        assert not result.commit.endswith("-dirty"), path.name
