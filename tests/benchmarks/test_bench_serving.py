from pathlib import Path

from benchmarks.bench_serving import main
from benchmarks.result_file import ResultFile


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "1000", "--seconds", "0.2", "--searchers", "0", "--repeats", "1", "--memory-queries", "5"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) == 0
    (path,) = tmp_path.iterdir()
    results = ResultFile.read(path).results
    assert {"n1000.c1.service.p50", "n1000.c64.bare.rate", "n1000.c16.ratio", "n1000.c64.batching_gain"} <= set(results)
    assert results["n1000.memory.queries"].median >= 5
    ratio = results["n1000.c64.service.rate"].median / results["n1000.c64.bare.rate"].median
    assert results["n1000.c64.ratio"].median == ratio
