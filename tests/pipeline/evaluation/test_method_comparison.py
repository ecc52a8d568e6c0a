import json
from statistics import mean

import pytest

from pipeline.evaluation.method_comparison import Spread
from tests.pipeline.evaluation.small_comparison import small_comparison, small_run


def test_spread_is_over_seeds() -> None:
    spread = Spread.of([0.90, 0.91, 0.92])
    assert spread is not None
    assert spread.mean == pytest.approx(0.91)
    assert spread.deviation == pytest.approx(0.01)
    assert str(spread) == "0.9100 ± 0.0100"
    assert str(Spread.of([0.5])) == "0.5000"
    assert Spread.of([]) is None
    assert Spread.of([0.5, None]) is None


def test_rows_are_label_free_first_and_best_first() -> None:
    rows = small_comparison().rows()
    assert [row.name for row in rows] == ["itq", "lsh", "dsh (learned codes)", "dsh"]
    assert [row.supervised for row in rows] == [False, False, True, True]
    assert list(rows[0].lengths) == [16]
    assert [run.seed for run in rows[3].lengths[8].runs] == [0, 1, 2]


def test_curves_are_means_over_seeds() -> None:
    at_length = small_comparison().rows()[3].lengths[16]
    x, y = at_length.curve("precision_recall", "recall", "precision")
    curves = [run.curve("precision_recall", "recall", "precision")[1] for run in at_length.runs]
    assert len(x) == len(y) == 50
    assert y == [mean(values) for values in zip(*curves, strict=True)]


def test_the_record_has_mean_spread_and_every_run() -> None:
    record = json.loads(json.dumps(small_comparison().to_json()))
    assert len(record["runs"]) == 10
    entry = next(e for e in record["methods"] if e["method"] == "dsh" and e["database"] == "encoded")
    assert (entry["num_bits"], entry["seeds"], entry["supervised"]) == (8, [0, 1, 2], True)
    assert entry["metrics"]["map_at_10"]["mean"] == pytest.approx(0.91)
    assert entry["metrics"]["map_at_10"]["values"] == pytest.approx([0.90, 0.91, 0.92])
    assert record["left_out"] == [{"method": "itq", "num_bits": 8, "reason": "too few"}]
    assert record["machine"] == {"cpu": "any"}


def test_lengths_ascend() -> None:
    assert small_comparison().lengths == (8, 16)
    assert small_run("lsh").num_bits == 16
