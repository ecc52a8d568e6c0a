"""The cost of APHash: what is counted as growth, what is checked first, and that all of it runs."""

from pathlib import Path

import pytest
import torch

from benchmarks.bench_aphash_cost import check_gradients, growth_exponents, growth_faults, main
from benchmarks.result_file import ResultFile
from operators.training.neighborhood_divergence import NeighborhoodDivergence


def test_growth_is_the_slope_between_the_smallest_and_the_largest() -> None:
    seconds = {"m300": {4000: [2.0, 2.0, 9.0], 1000: [0.5], 2000: [7.0]}, "all_items": {1000: [1.0], 4000: [16.0]}}
    exponents = growth_exponents(seconds)
    assert exponents == pytest.approx({"m300": 1.0, "all_items": 2.0})
    assert growth_faults(exponents) == []


def test_other_growth_is_named() -> None:
    faults = growth_faults({"m300": 1.9, "m600": 1.1, "all_items": 1.2})
    assert faults == ["m300: seconds grow as n^1.90", "all_items: seconds grow as n^1.20"]


def test_a_wrong_gradient_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    check_gradients(60, 8)

    def wrong(divergence: NeighborhoodDivergence, anchors: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(items)

    monkeypatch.setattr(NeighborhoodDivergence, "item_gradient", wrong)
    with pytest.raises(RuntimeError, match="gradient of items"):
        check_gradients(60, 8)


def test_a_small_run_writes_its_figures(tmp_path: Path) -> None:
    sizes = ["--items", "60", "120", "--anchors", "10", "20", "--repeats", "2"]
    assert main([*sizes, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) in (0, 1)
    (path,) = tmp_path.iterdir()
    result = ResultFile.read(path)
    names = {f"{column}.n{n}.epoch_seconds" for column in ("m10", "m20", "all_items") for n in (60, 120)}
    assert names < set(result.results)
    assert result.results["m10.n60.epoch_seconds"].num_values == 2
    assert {"m10.exponent", "all_items.exponent"} < set(result.results)
