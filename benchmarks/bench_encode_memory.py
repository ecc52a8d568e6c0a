"""Peak memory of every process of an encode job, at 20,000 and at 100,000 items.

    python -m benchmarks.bench_encode_memory --data-dir /tmp/bench-data

The larger corpus is the smaller one five times over, as hard links: other keys, the same pictures. Exits with 1 when
the peak of any kind of process grows by more than a tenth (or by less than 16 MiB, which is noise).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.benchmark_options import benchmark_parser
from benchmarks.bitquarry_command import COMMAND, run_bitquarry
from benchmarks.process_memory import MemoryWatch
from benchmarks.result_file import Measurement, measured_here
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings, make_photo_corpus

NUM_COPIES = 5
ALLOWED_GROWTH = 1.1
ALLOWED_BYTES = 16 * 2**20
_Peaks = Mapping[str, tuple[int, int]]


def peaks_of_encode(catalog: Path, source: Path, num_items: int) -> _Peaks:
    """Encode `source` into a collection of its own; the peaks by role. Raises RuntimeError when it is not whole."""
    options = ("--catalog", catalog, "--collection", f"n{num_items}", "--model", "bench", "--source", source)
    job = subprocess.Popen([*COMMAND, "encode", *map(str, options)], stdout=subprocess.DEVNULL)
    with MemoryWatch(job.pid) as watch:
        exit_code = job.wait()
    report, _ = run_bitquarry("plan", *options, "--json")
    if exit_code != 0 or report["num_items_committed"] != num_items:
        raise RuntimeError(f"encode ended with {exit_code}, {report['num_items_committed']} of {num_items} items")
    return watch.peaks


def growth_faults(small: _Peaks, large: _Peaks) -> list[str]:
    """What grew, in words; empty when nothing did. Compares the memory that each process has allocated."""
    return [
        f"{role}: {small[role][0] / 2**20:.0f} MiB, then {large[role][0] / 2**20:.0f} MiB"
        for role in sorted(small.keys() & large.keys())
        if large[role][0] > max(ALLOWED_GROWTH * small[role][0], small[role][0] + ALLOWED_BYTES)
    ]


def summarise(peaks: Mapping[int, Sequence[_Peaks]]) -> dict[str, Measurement]:
    """`<items>.<role>.own_bytes` and `.resident_bytes`, over the repeats."""
    return {
        f"{num_items}.{role}.{kind}_bytes": Measurement.of([float(each[role][at]) for each in repeats], "B")
        for num_items, repeats in peaks.items()
        for role in sorted(repeats[0])
        for at, kind in enumerate(("own", "resident"))
    }


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    photos = PhotoCorpusSettings(num_photos=options.photos, width=options.width, height=options.height)
    folder = make_photo_corpus(options.data_dir.resolve(), photos)
    copied = replace(photos, num_copies=NUM_COPIES)
    sources = {photos.num_files: folder, copied.num_files: make_photo_corpus(options.data_dir.resolve(), copied)}
    peaks: dict[int, list[_Peaks]] = {num_items: [] for num_items in sources}
    for repeat in range(options.repeats):
        catalog = options.data_dir.resolve() / f"memory-{os.getpid()}-{repeat}"
        run_bitquarry("train", "-C", catalog, "-n", "bench", "-s", folder, "--sample-items", 2000, "--json")
        for num_items, source in sources.items():
            peaks[num_items].append(peaks_of_encode(catalog, source, num_items))
            print(num_items, peaks[num_items][-1], flush=True)
        shutil.rmtree(catalog)
    small, large = peaks.values()
    faults = [fault for pair in zip(small, large, strict=True) for fault in growth_faults(*pair)]
    result = measured_here(
        "encode-memory",
        options.hardware,
        settings={"num_items": list(sources), "picture_pixels": [photos.width, photos.height], "grew": list(faults)},
        results=summarise(peaks),
        allow_dirty=options.allow_dirty,
    )
    print(result.write(options.folder))
    print("\n".join(faults) or "no process needs more memory for more items")
    return 1 if faults else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = benchmark_parser("bench_encode_memory", __doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("bench-data"), help="where the photos are kept")
    parser.add_argument(
        "--photos", type=int, default=20_000, help="of the small corpus; the large one has 5 times as many"
    )
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--repeats", type=int, default=2)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
