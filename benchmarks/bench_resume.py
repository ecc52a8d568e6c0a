"""How long an encode takes to see that nothing is left to do: by tasks, and by rows.

    python -m benchmarks.bench_resume --data-dir /tmp/bench-data

Parquet tables of tiny pictures, encoded once. Then the same command again and again, the tables by turns: 20 tasks of
1,000 rows, 20 tasks of 10,000 rows, 200 tasks of 1,000 rows. Seconds inside the command, from its start to knowing
that every task is committed, and seconds of the whole command, most of which Python needs to import libraries.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.bitquarry_command import run_bitquarry
from benchmarks.result_file import Measurement, measured_here

_PICTURE_SIDE = 8


@dataclass(frozen=True, kw_only=True)
class TableSize:
    num_tasks: int
    rows_per_task: int

    @property
    def name(self) -> str:
        return f"{self.num_tasks}x{self.rows_per_task}"


SIZES = (
    TableSize(num_tasks=20, rows_per_task=1000),
    TableSize(num_tasks=20, rows_per_task=10_000),
    TableSize(num_tasks=200, rows_per_task=1000),
)


class ResumeBench:
    """Encodes tables below `work` and runs the same command again."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._catalog = work / "catalog"

    def prepare(self, sizes: Sequence[TableSize]) -> None:
        """Write the tables, train on the first, encode them all."""
        for size in sizes:
            write_table(self._table(size), size)
        first = ("--source", self._table(sizes[0]), "--bytes-column", "image", "--sample-items", 500)
        model = ("--name", "bench", "--features", "pixels", "--method", "lsh", "--num-bits", 64)
        run_bitquarry("train", "--catalog", self._catalog, *model, *first, "--json")
        for size in sizes:
            report, _ = self._encode(size)
            _check(size.name, report["num_tasks"], size.num_tasks)

    def resume(self, size: TableSize) -> tuple[float, float]:
        """Seconds inside the command, and of the whole command."""
        report, seconds = self._encode(size)
        _check(size.name, report["num_tasks_committed_before"], size.num_tasks)
        _check(size.name, report["num_tasks"], 0)
        return report["wall_seconds"], seconds

    def _encode(self, size: TableSize) -> tuple[dict[str, float], float]:
        names = ("--catalog", self._catalog, "--collection", f"n{size.name}", "--model", "bench")
        source = ("--source", self._table(size), "--bytes-column", "image", "--task-items", size.rows_per_task)
        return run_bitquarry("encode", *names, *source, "--json")

    def _table(self, size: TableSize) -> Path:
        return self._work / f"{size.name}.parquet"


def write_table(path: Path, size: TableSize) -> None:
    """One row group for each task, so that tasks are cut where groups end. All rows hold one of 100 pictures."""
    random = np.random.default_rng(0)
    pictures = [_png(random) for _ in range(100)]
    rows = pa.table({"image": [pictures[row % len(pictures)] for row in range(size.rows_per_task)]})
    with pq.ParquetWriter(path, rows.schema) as writer:
        for _ in range(size.num_tasks):
            writer.write_table(rows, row_group_size=size.rows_per_task)


def _png(random: np.random.Generator) -> bytes:
    encoded = io.BytesIO()
    pixels = random.integers(0, 256, (_PICTURE_SIDE, _PICTURE_SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def _check(name: str, found: float, expected: float) -> None:
    if found != expected:
        raise RuntimeError(f"table {name}: {found} tasks, expected {expected}")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    work = options.data_dir.resolve() / "resume"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    bench = ResumeBench(work)
    bench.prepare(SIZES)
    seconds: dict[str, list[float]] = {}
    for _ in range(options.repeats):
        for size in SIZES:
            inside, whole = bench.resume(size)
            seconds.setdefault(f"{size.name}.inside", []).append(inside)
            seconds.setdefault(f"{size.name}.whole_command", []).append(whole)
    shutil.rmtree(work)
    results = {name: Measurement.of(values, "s") for name, values in seconds.items()}
    for name, figure in results.items():
        print(f"{name}: {figure.median:.3f} s ({figure.lower_quartile:.3f} to {figure.upper_quartile:.3f})")
    result = measured_here(
        "resume",
        options.hardware,
        settings={"sizes": [size.name for size in SIZES], "sizes_are": "tasks x rows per task"},
        results=results,
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_resume", __doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("bench-data"), help="for tables and codes; removed again")
    parser.add_argument("--repeats", type=int, default=10)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
