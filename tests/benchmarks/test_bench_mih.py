import dataclasses
from pathlib import Path

import pytest

from benchmarks.bench_mih import Asked, Indexed, MihRun, main, measure
from benchmarks.result_file import ResultFile
from operators.binary_codes import BinaryCodes
from pipeline.sample_corpus.clustered_codes import clustered_codes, near_codes


def test_other_answers_are_not_timed() -> None:
    codes = clustered_codes(500, 64, seed=1)
    indexed = Indexed.over(codes)
    queries = near_codes(codes, 3, seed=2)
    for asked in (Asked("k", 5), Asked("r", 3)):
        indexed.check(queries, asked)
        other = dataclasses.replace(indexed, codes=BinaryCodes(codes.packed[::-1], 64))
        with pytest.raises(RuntimeError, match=f"64 bits, {asked}: other"):
            other.check(queries, asked)


def test_faiss_finds_the_same_within_a_radius() -> None:
    run = MihRun(num_codes=3_000, num_bits=(64,), k=(1, 10), radii=(0, 4), num_queries=5, num_repeats=1)
    results = measure(run)
    assert 0 < results["b64.q5.k1.faiss_recall"].median <= 1
    assert {"b64.q5.r4.faiss", "b64.q1.r4.mih", "b64.q5.k10.probes", "b64.q1.crossover.k"} <= set(results)
    assert 0 <= results["b64.q5.k10.scanned"].median <= 1


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "2000", "--repeats", "1", "--without-faiss"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) == 0
    (path,) = tmp_path.iterdir()
    results = ResultFile.read(path).results
    assert {"b64.q64.k10.mih", "b128.q1.r4.scan", "b64.mih.bytes", "b128.q64.k100.speedup"} <= set(results)
    assert not any("faiss" in name for name in results)
