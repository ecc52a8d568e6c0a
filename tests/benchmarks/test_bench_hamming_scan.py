from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_hamming_scan import Scanned, main
from benchmarks.result_file import ResultFile


def test_other_distances_are_not_timed() -> None:
    scanned = Scanned.random(500, 64)
    scanned.check(scanned.queries(3), 5)
    scanned.index.reset()
    scanned.index.add(np.zeros((500, 8), np.uint8))
    with pytest.raises(RuntimeError, match="64 bits, k = 5: other distances"):
        scanned.check(scanned.queries(3), 5)


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "4000", "--repeats", "1"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) == 0
    (path,) = tmp_path.iterdir()
    results = ResultFile.read(path).results
    assert {"b64.q64.k10.scan", "b128.q1.k100.faiss", "b256.q64.k10.ratio", "b64.read", "first_call"} <= set(results)
    assert results["first_call"].median > results["next_call"].median
