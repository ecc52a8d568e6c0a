import json
import pickle
from dataclasses import replace
from math import nan

from tests.pipeline.evaluation.small_evaluation import small_report


def test_json_has_the_documented_fields_and_is_plain() -> None:
    fields = small_report().to_json()
    assert {"protocol", "features", "method", "num_bits", "num_tables", "ranking", "seed"} <= set(fields)
    assert {"train_seconds", "encode_seconds"} <= set(fields)
    metrics = fields["metrics"]
    assert isinstance(metrics, dict)
    assert {"map_at_10", "ap_all", "precision_at_10", "map_at_10_tie_expected"} <= set(metrics)
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields


def test_an_undefined_metric_is_null() -> None:
    report = small_report()
    undefined = replace(report, measurement=replace(report.measurement, metrics={"map_at_10": nan}))
    assert undefined.to_json()["metrics"] == {"map_at_10": None}


def test_title_names_method_bits_tables_and_features() -> None:
    report = small_report(method="itq", num_bits=32)
    assert report.title == "itq 32 bits, pixels"
    several = replace(report, run=replace(report.run, num_tables=8, ranking="collisions"))
    assert several.title == "itq 32 bits × 8 tables, collisions, pixels"


def test_reports_pickle() -> None:
    report = small_report()
    assert pickle.loads(pickle.dumps(report)) == report  # noqa: S301
