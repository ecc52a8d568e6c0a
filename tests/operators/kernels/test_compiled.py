"""Compiled functions are kept between processes, and work where nothing can be kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from operators.kernels import compiled as compiled_module
from operators.kernels.compiled import compiled

ANSWER = "[[3298534883328]]\n"
_SCAN = """
from operators.kernels.nearest_scan import NearestScan
import numpy as np
scan = NearestScan(np.zeros((1, 1), np.uint64), k=1, num_bits=64)
scan.feed(np.full((70, 1), 7, np.uint64), 0)
print(scan.sorted_keys()[0].tolist())
"""


def _run(cache: str, folder: Path | None = None) -> str:
    """With the `operators` of a folder, else those that are tested."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    finished = subprocess.run(
        [sys.executable, "-c", _SCAN], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_a_function_computes_what_it_says() -> None:
    def double(number: int) -> int:
        return 2 * number

    assert compiled(double)(21) == 42


def test_machine_code_is_kept_for_the_next_process(tmp_path: Path) -> None:
    assert _run(str(tmp_path)) == ANSWER
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert kept
    assert _run(str(tmp_path)) == ANSWER
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == kept


def test_without_a_place_to_keep_it_the_scan_still_answers() -> None:
    assert _run("/proc/no-such-folder") == ANSWER


def test_a_change_of_any_kernel_file_is_a_change_of_all(tmp_path: Path) -> None:
    """numba itself would go on with machine code that has the old contents of other files in it."""
    kernels = tmp_path / "operators" / "kernels"
    shutil.copytree(Path(compiled_module.__file__).parents[1], tmp_path / "operators")
    words = kernels / "near_masks.py"
    source = words.read_text(encoding="utf-8")
    assert _run(str(tmp_path / "cache"), tmp_path) == ANSWER
    swapped = source.replace('icmp_unsigned("<", total, limit)', 'icmp_unsigned(">", total, limit)')
    assert swapped != source
    words.write_text(swapped, encoding="utf-8")
    assert _run(str(tmp_path / "cache"), tmp_path) != ANSWER
