from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_billion_codes import BillionRun, main, measure, open_searcher, run_phase, write_shards
from benchmarks.result_file import ResultFile
from operators.search.hamming_flat import search_flat
from pipeline.shard_index.search_scope import EVERYTHING
from tests.oracles import same_answer


def test_shards_are_searched_whole(tmp_path: Path) -> None:
    run = BillionRun(data_dir=tmp_path, num_codes=600)
    write_shards(run)
    searcher = open_searcher(run, 1)
    codes = searcher.codes_of(np.arange(300, 600))
    assert same_answer(
        searcher.search(run.queries(3), 9, EVERYTHING), search_flat(codes, np.arange(300, 600), run.queries(3), k=9)
    )
    assert run_phase(run, "one_thread")["digest"] == run_phase(run, "direct")["digest"]


@pytest.mark.ray
def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "20000", "--repeats", "1", "--data-dir", str(tmp_path / "data")]
    out = tmp_path / "out"
    out.mkdir()
    assert main([*sizes, "--hardware", "test", "--folder", str(out), "--allow-dirty"]) == 0
    (path,) = out.iterdir()
    results = ResultFile.read(path).results
    assert {"one_thread.batch", "direct.single_query", "router.batch", "router_cost", "direct.own"} <= set(results)


def test_phases_that_answer_differently_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(range(10))
    facts = {"seconds": {"single": [1.0], "batch": [1.0]}, "memory": {"own": 1}}
    monkeypatch.setattr(
        "benchmarks.bench_billion_codes._phase_in_a_process", lambda run, phase: {**facts, "digest": [next(answers)]}
    )
    with pytest.raises(RuntimeError, match="phases answer differently"):
        measure(BillionRun(data_dir=tmp_path, num_codes=100))
