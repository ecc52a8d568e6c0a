from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_near_pairs
from benchmarks.bench_near_pairs import KINDS, JoinRun, Pairs, check, joined, main, pairs_of_faiss, pairs_of_scan
from benchmarks.result_file import ResultFile
from operators.binary_codes import BinaryCodes


@pytest.mark.parametrize("kind", KINDS)
def test_the_stated_share_are_near_duplicates(kind: str) -> None:
    run = JoinRun(num_codes=4000)
    codes = run.codes(kind)
    assert np.array_equal(codes.packed, run.codes(kind).packed)
    paired = len(np.unique(joined(codes, 3)[:, :2]))
    assert paired > 0.2 * 4000
    assert kind == "clustered" or paired < 0.45 * 4000


def test_wrong_pairs_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = JoinRun(num_codes=3000).codes("clustered")
    check(codes, 3)
    assert len(joined(codes, 3)) > 100
    for name, other, radius in (("the scan", pairs_of_scan, 2), ("Faiss", pairs_of_faiss, 4)):
        with monkeypatch.context() as patched:
            patched.setattr(bench_near_pairs, other.__name__, partial(_other_radius, other, radius))
            with pytest.raises(RuntimeError, match=f"other pairs than those of {name}"):
                check(codes, 3)


def _other_radius(pairs_of: Callable[[BinaryCodes, int], Pairs], radius: int, codes: BinaryCodes, _: int) -> Pairs:
    return pairs_of(codes, radius)


def test_a_code_is_no_pair_with_itself() -> None:
    assert joined(BinaryCodes(np.zeros((2, 8), np.uint8), 64), 3).tolist() == [[0, 1, 0]]


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--codes", "20000", "--checked", "2000", "--sampled", "8", "--repeats", "1"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) == 0
    (path,) = tmp_path.iterdir()
    result = ResultFile.read(path)
    names = {"join", "join_threads", "pairs", "memory", "faiss_extrapolated", "scan_extrapolated", "ratio_faiss"}
    assert {f"{kind}.{name}" for kind in KINDS for name in names} <= set(result.results)
    assert 0 < result.results["uniform.memory"].median < 0.1
    assert result.settings["duplicate_share"] == 0.2
    assert "multiplied by codes / 8" in str(result.settings["comparators"])
