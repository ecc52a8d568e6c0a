"""What every benchmark's command line has: where its result file goes, and what it is called."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.machine_facts import hardware_name
from benchmarks.result_file import RESULTS_FOLDER


def benchmark_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """For `python -m benchmarks.<module>`, its text printed as it stands."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{module}", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--hardware", default=hardware_name(), help="part of the name of the result file")
    parser.add_argument("--folder", type=Path, default=RESULTS_FOLDER, help="where the result file goes")
    parser.add_argument("--allow-dirty", action="store_true", help="measure uncommitted changes; do not commit it")
    return parser
