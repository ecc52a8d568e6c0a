"""Time until another method's final quality: how it is counted, and that training gives the curves."""

import gzip
from math import inf
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_training_time import Curve, figures_of, main, time_shares
from benchmarks.result_file import ResultFile
from pipeline.training.epoch_figures import EpochFigures

_NUM_ITEMS = 320


def _curve(*points: tuple[float, float]) -> Curve:
    return Curve(tuple(at for at, _ in points), tuple(value for _, value in points), (5.0,) * len(points))


def test_seconds_of_a_curve_add_up() -> None:
    epochs = [
        EpochFigures(
            epoch=number,
            num_epochs=3,
            losses={},
            validation_metric="map_at_10",
            validation=0.1 * number,
            mean_bit_entropy=1.0,
            num_distinct_codes=10 * number,
            num_measured=100,
            seconds=2.0,
        )
        for number in (1, 2, 3)
    ]
    curve = Curve.of(epochs)
    assert list(curve.seconds) == [2.0, 4.0, 6.0]
    assert list(curve.map_at_10) == pytest.approx([0.1, 0.2, 0.3])
    assert list(curve.distinct_codes) == [10, 20, 30]
    assert curve.seconds_to_reach(0.2) == 4.0
    assert curve.seconds_to_reach(0.4) == inf


def test_the_share_is_of_all_seconds_of_the_slower_until_its_last_quality() -> None:
    slow = _curve((10.0, 0.9), (20.0, 0.7))
    curves = {"dsh": [slow, slow], "spdaq": [_curve((3.0, 0.6), (6.0, 0.7)), _curve((8.0, 0.8), (9.0, 0.9))]}
    assert time_shares(curves) == pytest.approx([0.3, 0.4])
    assert figures_of(curves)["time_share"].num_values == 2
    never = {**curves, "spdaq": [_curve((3.0, 0.6), (6.0, 0.65)), _curve((8.0, 0.8), (9.0, 0.9))]}
    assert time_shares(never)[0] == inf
    assert "time_share" not in figures_of(never)


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    """Pictures of 28 x 28 in two classes: bright at the top, bright at the bottom."""
    labels = np.arange(_NUM_ITEMS, dtype=np.uint8) % 2
    pictures = np.random.default_rng(0).integers(0, 60, (_NUM_ITEMS, 28, 28), dtype=np.uint8)
    pictures[labels == 0, :14] += 150
    pictures[labels == 1, 14:] += 150
    header = bytes([0, 0, 8, 3]) + b"".join(size.to_bytes(4, "big") for size in pictures.shape)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + pictures.tobytes()))
    header = bytes([0, 0, 8, 1]) + _NUM_ITEMS.to_bytes(4, "big")
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(header + labels.tobytes()))
    return tmp_path


def test_a_small_run_writes_its_curves(idx_folder: Path, tmp_path: Path) -> None:
    settings = ["--set", "num_epochs=2", "spdaq.num_epochs=1", "spdaq.width=8", "batch_size=40"]
    arguments = ["--data", str(idx_folder), "--seeds", "0", "1", "--num-bits", "8", *settings]
    assert main([*arguments, "--hardware", "test", "--folder", str(tmp_path), "--allow-dirty"]) in (0, 1)
    (path,) = tmp_path.glob("training-time_test_*.json")
    result = ResultFile.read(path)
    assert result.results["dsh.epoch_2.map_at_10"].num_values == 2
    assert result.results["dsh.epoch_2.seconds"].median > result.results["dsh.epoch_1.seconds"].median
    assert {"spdaq.epoch_1.distinct_codes", "spdaq.epoch_1.map_at_10"} < set(result.results)
    assert "spdaq.epoch_2.map_at_10" not in result.results
