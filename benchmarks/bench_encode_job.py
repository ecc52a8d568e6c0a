"""The whole encode job against one bare loop per core: `bitquarry bench encode`, kept as a result file.

    python -m benchmarks.bench_encode_job --data-dir /tmp/bench-data

Exits with 1 when the whole job, start-up included, reaches less than 0.85 of the loops' rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.bitquarry_command import COMMAND
from benchmarks.result_file import Measurement, measured_here
from pipeline.jobs.bench_encode import BenchEncodeSettings, EncodeBenchResult, bench_encode
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings

REQUIRED_RATIO = 0.85


def summarise(result: EncodeBenchResult) -> dict[str, Measurement]:
    """Rates with and without start-up, their ratios round by round, and the load of the machine before each round."""
    whole, working = ("job_seconds", "loop_seconds"), ("job_working_seconds", "loop_working_seconds")
    return {
        "job": Measurement.of(result.rates(whole[0]), "pictures/s"),
        "loops": Measurement.of(result.rates(whole[1]), "pictures/s"),
        "ratio": Measurement.of(result.ratios(*whole), "1"),
        "job_without_startup": Measurement.of(result.rates(working[0]), "pictures/s"),
        "loops_without_startup": Measurement.of(result.rates(working[1]), "pictures/s"),
        "ratio_without_startup": Measurement.of(result.ratios(*working), "1"),
        "load_before": Measurement.of([each.load_before for each in result.rounds], "1"),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    photos = PhotoCorpusSettings(
        num_photos=options.photos, num_copies=options.copies, width=options.width, height=options.height
    )
    result = bench_encode(
        BenchEncodeSettings(
            command=COMMAND,
            data_dir=options.data_dir.resolve(),
            photos=photos,
            num_repeats=options.repeats,
            task_items=options.task_items,
        ),
        lambda line: print(line, flush=True),
    )
    facts = result.to_json()
    print(json.dumps(facts))
    file = measured_here(
        f"encode-job-{photos.num_files}x{photos.width}x{photos.height}",
        options.hardware,
        settings={name: facts[name] for name in _SETTINGS},
        results=summarise(result),
        allow_dirty=options.allow_dirty,
    )
    print(file.write(options.folder))
    return 0 if facts["ratio"] >= REQUIRED_RATIO else 1


_SETTINGS = (
    "comparator_is",
    "num_pictures",
    "num_copies_of_each",
    "picture_pixels",
    "model",
    "task_items",
    "job_bottleneck",
    "rounds",
)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_encode_job", __doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("bench-data"), help="where the photos are kept")
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--copies", type=int, default=2, help="names that each photo stands under")
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--height", type=int, default=1200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--task-items", type=int, default=512)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
