import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from operators.features.feature_extractor import Json
from operators.hashers.hasher_registry import method_names
from pipeline.errors import MissingExtra, UsageError
from pipeline.evaluation import code_map
from pipeline.evaluation.comparison_plan import ComparisonPlan
from pipeline.jobs import evaluate_methods as job
from pipeline.jobs.evaluate_methods import EvaluateMethodsSettings, evaluate_methods
from pipeline.jobs.evaluate_protocol import ProtocolSettings

# 300 pictures to learn from: product quantization needs at least 256.
_PER_CLASS, _NUM_QUERIES = 167, 32


@pytest.fixture(scope="module")
def class_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for name, rows in (("top", slice(0, 4)), ("bottom", slice(4, 8))):
        (root / name).mkdir()
        for number in range(_PER_CLASS):
            pixels = generator.integers(0, 60, (8, 8), dtype=np.uint8)
            pixels[rows] += 150
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


def _settings(folder: Path, out: Path, **plan: object) -> EvaluateMethodsSettings:
    defaults = {"features": "pixels", "methods": ("itq", "spdaq"), "num_bits": (8,), "num_seeds": 2}
    quick = {"network": "mlp", "num_epochs": 1, "num_sampled": 64}
    return EvaluateMethodsSettings(
        protocol=ProtocolSettings(name="folder", data_dir=str(folder)),
        plan=ComparisonPlan(**{**defaults, "method_settings": quick, **plan}),  # type: ignore[arg-type]
        feature_settings={"side": 8},
        out=out,
    )


def test_every_method_is_in_the_table(class_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_map, "MAX_ITEMS", 30)
    quick: dict[str, Json] = {
        "network": "mlp", "num_epochs": 1, "num_sampled": 64, "num_anchors": 20, "num_centres": 20
    }  # fmt: skip
    comparison = evaluate_methods(_settings(class_folder, tmp_path, methods=(), num_seeds=1, method_settings=quick))
    assert comparison.failed == ()
    assert {str(run.report["method"]) for run in comparison.runs} == set(method_names())
    assert all((run.figure("metrics", "map_at_10") or 0) > 0.4 for run in comparison.runs)
    assert all(
        run.code_map is not None and len(run.rows) == 3 for run in comparison.runs if "learned" not in run.row_name
    )
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(method in page for method in method_names())


def test_learned_database_codes_are_a_row_of_their_own(class_folder: Path, tmp_path: Path) -> None:
    evaluate_methods(_settings(class_folder, tmp_path))
    record = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    rows = {(row["method"], row["database"]): row["seeds"] for row in record["methods"]}
    assert rows == {("itq", "encoded"): [0], ("spdaq", "encoded"): [0, 1], ("spdaq", "learned"): [0, 1]}
    assert record["settings"]["num_seeds"] == 2
    assert record["headline_metric"] == "map_at_10"
    assert {run["num_queries"] for run in record["runs"]} == {_NUM_QUERIES}


def test_what_is_finished_is_not_done_again(
    class_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def on_fit(_number: int, _total: int, title: str) -> None:
        started.append(title)
        if len(started) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_methods(_settings(class_folder, tmp_path), on_fit)
    assert not (tmp_path / "results.json").exists()
    first = evaluate_methods(_settings(class_folder, tmp_path), on_fit)
    assert started == [
        "itq, 8 bits, pixels, seed 0",
        "spdaq, 8 bits, pixels, seed 0",  # interrupted
        "spdaq, 8 bits, pixels, seed 0",
        "spdaq, 8 bits, pixels, seed 1",
    ]
    monkeypatch.setattr(job, "MethodEvaluation", None)  # nothing is left to compute features for
    assert evaluate_methods(_settings(class_folder, tmp_path), on_fit).runs == first.runs
    assert len(started) == 4


def test_other_settings_are_other_runs(class_folder: Path, tmp_path: Path) -> None:
    started: list[str] = []
    settings = _settings(class_folder, tmp_path, methods=("itq",), method_settings={})
    for each in (settings, replace(settings, protocol=replace(settings.protocol, max_queries=5))):
        evaluate_methods(each, lambda _number, _total, title: started.append(title))
    assert len(started) == 2


def test_a_method_that_fails_is_listed_and_the_others_go_on(class_folder: Path, tmp_path: Path) -> None:
    settings = _settings(class_folder, tmp_path, methods=("pq", "lsh", "itq"), num_bits=(8, 128), method_settings={})
    comparison = evaluate_methods(replace(settings, protocol=replace(settings.protocol, max_training=100)))
    assert {(item.method, item.num_bits) for item in comparison.failed} == {("pq", 8), ("pq", 128)}
    assert [(item.method, item.num_bits) for item in comparison.left_out] == [("itq", 128)]
    assert {run.row_name for run in comparison.runs} == {"lsh", "itq"}
    assert "expected at least 256" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_missing_library_is_noticed_before_the_work(
    class_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_map, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match="scikit-learn"):
        evaluate_methods(_settings(class_folder, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(class_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="give a folder that can be made"):
        evaluate_methods(_settings(class_folder, tmp_path / "file" / "out"))
