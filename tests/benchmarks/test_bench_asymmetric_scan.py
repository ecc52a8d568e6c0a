from pathlib import Path

import faiss
import numpy as np
import pytest

from benchmarks.bench_asymmetric_scan import AsymmetricRun, Scanned, main, measure, vectors
from benchmarks.result_file import ResultFile


def test_other_distances_are_not_timed() -> None:
    scanned = Scanned.learned(600, 8)
    scanned.check(vectors(3, seed=7), 5)
    faiss.copy_array_to_vector(np.zeros(600 * 8, np.uint8), scanned.index.codes)
    with pytest.raises(RuntimeError, match="8 codebooks, k = 5: other distances"):
        scanned.check(vectors(3, seed=7), 5)


def test_every_combination_has_figures() -> None:
    results = measure(AsymmetricRun(num_codes=600, num_queries=(2,), k=(3,), num_repeats=1))
    names = ("scan", "faiss", "fast_scan", "over_faiss", "over_fast_scan")
    assert set(results) == {f"m{number}.q2.k3.{name}" for number in (8, 16) for name in names}


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "600", "--repeats", "1"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) == 0
    (path,) = tmp_path.iterdir()
    result = ResultFile.read(path)
    assert "m16.q64.k100.over_faiss" in result.results
    assert result.settings["num_codes"] == 600
