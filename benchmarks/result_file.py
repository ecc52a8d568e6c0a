"""`ResultFile`: one benchmark's figures with everything needed to judge and repeat them."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from benchmarks.machine_facts import library_versions, machine_facts

RESULTS_FOLDER = Path(__file__).with_name("results")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class DirtyTree(RuntimeError):
    """A result measured on uncommitted changes could not be repeated. Argument: the changed paths."""

    def __str__(self) -> str:
        return f"uncommitted changes: {self.args[0]}; commit them, or pass allow_dirty for a result that is not kept"


class Measurement(BaseModel):
    """The median of several values and their quartiles, in `unit`. Fewer than 4 values have their extremes instead."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: str = Field(min_length=1)
    median: float
    lower_quartile: float
    upper_quartile: float
    num_values: int = Field(ge=1)

    @classmethod
    def of(cls, values: Sequence[float], unit: str) -> Measurement:
        """Summarise `values`. Raises statistics.StatisticsError if there are none."""
        low, high = min(values, default=0.0), max(values, default=0.0)
        if len(values) >= 4:
            low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(
            unit=unit,
            median=statistics.median(values),
            lower_quartile=low,
            upper_quartile=high,
            num_values=len(values),
        )


class ResultFile(BaseModel):
    """What one run of a benchmark measured. `commit` ends in "-dirty" where the working tree was not the commit's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    hardware: str
    commit: str = Field(pattern=r"^[0-9a-f]{40}(-dirty)?$")
    date: datetime
    machine: dict[str, JsonValue]
    versions: dict[str, str]
    settings: dict[str, JsonValue]
    results: dict[str, Measurement] = Field(min_length=1)

    @field_validator("name", "hardware")
    @classmethod
    def _is_file_name_part(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError(f"{value!r}: expected lower-case words joined by '-', it becomes part of a file name")
        return value

    @property
    def file_name(self) -> str:
        """`<name>_<hardware>_<yyyymm>.json`"""
        return f"{self.name}_{self.hardware}_{self.date:%Y%m}.json"

    def write(self, folder: Path = RESULTS_FOLDER) -> Path:
        """Write the result into `folder`, over one of the same name, and return the file."""
        path = folder / self.file_name
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> ResultFile:
        """Raises pydantic.ValidationError if the file is not a result."""
        return cls.model_validate_json(path.read_text(encoding="utf-8"))


def measured_here(
    name: str,
    hardware: str,
    *,
    settings: Mapping[str, JsonValue],
    results: Mapping[str, Measurement],
    allow_dirty: bool = False,
    checkout: Path = RESULTS_FOLDER,
) -> ResultFile:
    """A result of this machine and the commit that `checkout` (any folder of the working tree) is at.

    Raises DirtyTree if the working tree has uncommitted changes and `allow_dirty` is not set. Other result files do not
    count, so that several benchmarks can be run before committing.
    """
    changed = _git(checkout, "status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/results")
    if changed and not allow_dirty:
        raise DirtyTree(" ".join(line.split(maxsplit=1)[1] for line in changed.splitlines()))
    return ResultFile(
        name=name,
        hardware=hardware,
        commit=_git(checkout, "rev-parse", "HEAD") + ("-dirty" if changed else ""),
        date=datetime.now(UTC).replace(microsecond=0),
        machine=machine_facts(),
        versions=library_versions(),
        settings=dict(settings),
        results=dict(results),
    )


def _git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return finished.stdout.strip()
