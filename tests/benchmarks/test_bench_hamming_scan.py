from pathlib import Path

from benchmarks.bench_hamming_scan import main
from benchmarks.result_file import ResultFile


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "4000", "--repeats", "1"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) == 0
    (path,) = tmp_path.iterdir()
    results = ResultFile.read(path).results
    assert {
        "b64.q64.k10.t1.scan",
        "b64.q64.k100.t2.ratio",
        "b128.q1.k100.t1.faiss",
        "b512.q1.k10.t1.read_share",
        "b64.q64.k10.two_threads_over_one",
        "avx2.b64.q64.k10.t1.ratio",
        "first_call",
    } <= set(results)
    assert results["first_call"].median > results["next_call"].median
