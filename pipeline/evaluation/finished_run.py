"""`FinishedRun`: what is kept of one fitted and measured method, and the folder that keeps it between calls."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from pipeline.errors import CorruptFile
from pipeline.evaluation.neighbour_gallery import GalleryPicture, GalleryRow
from pipeline.evaluation.page_environment import data_uri
from pipeline.evaluation.retrieval_report import RetrievalReport


class KeptPicture(BaseModel):
    """A picture of a row; `source` is a data URI, None where it cannot be shown. `distance` and `relevant` are None
    for the query."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str | None
    key: str
    label: str
    distance: float | None = None
    relevant: bool | None = None


class KeptRow(BaseModel):
    """A query and its nearest neighbours."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: KeptPicture
    neighbours: list[KeptPicture]


class CodeMap(BaseModel):
    """A sample of the database's codes on a plane: coordinates, and the class of each by its position in `classes`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: list[float]
    y: list[float]
    class_numbers: list[int]
    classes: list[str]


class FinishedRun(BaseModel):
    """`report` is `RetrievalReport.to_json()`. `rows` and `code_map` are there for the runs that the page shows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    report: dict[str, JsonValue]
    rows: list[KeptRow] = []
    code_map: CodeMap | None = None

    @property
    def row_name(self) -> str:
        """The method; of learned database codes, which are another row of the table, with a remark."""
        return f"{self.report['method']}{' (learned codes)' if self.report['database'] == 'learned' else ''}"

    @property
    def num_bits(self) -> int:
        return int(str(self.report["num_bits"]))

    @property
    def seed(self) -> int:
        return int(str(self.report["seed"]))

    def figure(self, *path: str) -> float | None:
        """A number of the report, such as `figure("metrics", "ap_all")`; None where there is none."""
        value: JsonValue = self.report
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return float(value) if isinstance(value, int | float) else None

    def curve(self, name: str, x: str, y: str) -> tuple[list[float], list[float]]:
        """Points of a curve of the report; a value that no query defines is NaN."""
        curve = self.report[name]
        assert isinstance(curve, dict)
        columns = (curve[x], curve[y])
        xs, ys = ([float("nan") if v is None else float(str(v)) for v in c] for c in columns if isinstance(c, list))
        return xs, ys


def finished(report: RetrievalReport, code_map: CodeMap | None) -> FinishedRun:
    """What is kept of a report, its pictures included."""
    rows = [_kept_row(row) for row in report.gallery]
    return FinishedRun(report=json.loads(json.dumps(report.to_json())), rows=rows, code_map=code_map)


_RUNS = TypeAdapter(list[FinishedRun])


class FinishedRuns:
    """A folder with one file per fit, named by the digest of everything that the figures depend on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def key(identity: dict[str, JsonValue]) -> str:
        """The name under which the runs of one fit are kept."""
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def find(self, key: str) -> list[FinishedRun] | None:
        """None when the fit has not been kept. Raises `CorruptFile`."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            return _RUNS.validate_json(path.read_bytes())
        except ValidationError as error:
            wrong = f"not a finished run ({error.error_count()} faults)"
            raise CorruptFile(str(path), wrong, "remove the file and run the command again") from None

    def keep(self, key: str, runs: list[FinishedRun]) -> None:
        """The file appears whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(_RUNS.dump_json(runs))
        part.replace(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def _kept_row(row: GalleryRow) -> KeptRow:
    return KeptRow(query=_kept_picture(row.query), neighbours=[_kept_picture(item) for item in row.neighbours])


def _kept_picture(picture: GalleryPicture) -> KeptPicture:
    return KeptPicture(
        source=data_uri(picture.thumbnail),
        key=picture.key,
        label=picture.label,
        distance=picture.distance,
        relevant=picture.relevant,
    )
