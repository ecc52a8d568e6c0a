from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from operators.errors import InvalidSetting
from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher
from pipeline.errors import MissingAccelerator, UnknownName, UsageError
from pipeline.evaluation import method_evaluation, picture_features
from pipeline.jobs.evaluate_protocol import EvaluateProtocolSettings, MethodRun, evaluate_protocol


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """Two classes that pixels tell apart: bright at the top, bright at the bottom."""
    generator = np.random.default_rng(0)
    for name, rows in (("top", slice(0, 6)), ("bottom", slice(6, 12))):
        (tmp_path / name).mkdir()
        for number in range(20):
            pixels = generator.integers(0, 60, (12, 12, 3), dtype=np.uint8)
            pixels[rows] += 150
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def _settings(folder: Path, *runs: MethodRun) -> EvaluateProtocolSettings:
    return EvaluateProtocolSettings(
        protocol="folder", features="pixels", feature_settings={"side": 8}, runs=runs, data_dir=str(folder)
    )


def test_easy_classes_are_found_by_every_method(class_folder: Path) -> None:
    runs = (
        MethodRun(method="itq", num_bits=8),
        MethodRun(method="lsh", num_bits=32),
        MethodRun(method="lsh", num_bits=4, num_tables=8),
        MethodRun(method="lsh", num_bits=4, num_tables=8, ranking="summed"),
    )
    reports = evaluate_protocol(_settings(class_folder, *runs))
    assert [report.run.ranking for report in reports] == ["hamming", "hamming", "collisions", "summed"]
    for report in reports:
        assert report.metrics["map_at_10"] > 0.95, report.title
        assert (report.run.num_queries, report.run.num_database, report.run.num_rejected) == (4, 36, 0)
        assert len(report.gallery) == 4
    assert reports[2].measurement.candidate_fraction is not None
    assert reports[2].code_health.num_bits == 32


_LEARNED: dict[str, Json] = {"network": "mlp", "num_epochs": 3}


@pytest.mark.parametrize(
    ("run", "ranking"),
    [
        (MethodRun(method="lsh", num_bits=4, num_tables=8, ranking="rerank"), "rerank"),
        (MethodRun(method="dsh", num_bits=8, settings=_LEARNED), "hamming"),
        (MethodRun(method="spdaq", num_bits=16, settings=_LEARNED), "asymmetric"),
        (MethodRun(method="spdaq", num_bits=16, settings=_LEARNED, ranking="symmetric"), "symmetric"),
        (MethodRun(method="spdaq", num_bits=16, settings=_LEARNED, database="learned"), "asymmetric"),
    ],
)
def test_every_way_of_ranking(class_folder: Path, run: MethodRun, ranking: str) -> None:
    (report,) = evaluate_protocol(_settings(class_folder, run))
    assert report.run.ranking == ranking
    assert report.run.database == run.database
    assert report.metrics["map_at_10"] > 0.8, report.title
    assert (report.measurement.candidate_fraction is not None) == (ranking == "rerank")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (MethodRun(method="itq", num_bits=8, database="learned"), "itq learns no codes"),
        (MethodRun(method="itq", num_bits=8, ranking="asymmetric"), "does not go with the binary codes of itq"),
        (MethodRun(method="pq", num_bits=8, ranking="hamming"), "does not go with the quantized codes of pq"),
    ],
)
def test_what_a_method_does_not_have_is_refused(class_folder: Path, run: MethodRun, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        evaluate_protocol(_settings(class_folder, run))


def test_same_seed_same_report(class_folder: Path) -> None:
    settings = _settings(class_folder, MethodRun(method="lsh", num_bits=16))
    first, second = (evaluate_protocol(settings)[0] for _ in range(2))
    assert first.measurement == second.measurement
    assert first.gallery == second.gallery


def test_features_are_computed_once_for_all_runs(class_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*arguments: object) -> picture_features.PictureFeatures:
        calls.append(arguments)
        return picture_features.extract_features(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(method_evaluation, "extract_features", counted)
    evaluate_protocol(_settings(class_folder, *(MethodRun(method="lsh", num_bits=bits) for bits in (8, 16, 32))))
    assert len(calls) == 2  # database and queries


def test_runs_in_a_row_that_learn_the_same_are_fitted_once(class_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[MethodRun] = []
    fit = method_evaluation.MethodEvaluation.fit

    def counted(
        evaluation: method_evaluation.MethodEvaluation, run: MethodRun, hasher: Hasher, seed: int
    ) -> method_evaluation.FittedMethod:
        fits.append(run)
        return fit(evaluation, run, hasher, seed)

    monkeypatch.setattr(method_evaluation.MethodEvaluation, "fit", counted)
    learned = MethodRun(method="spdaq", num_bits=16, settings=_LEARNED, database="learned")
    encoded, other = replace(learned, database="encoded"), replace(learned, num_bits=8)
    runs = (learned, encoded, replace(encoded, ranking="symmetric"), other)
    reports = evaluate_protocol(_settings(class_folder, *runs))
    assert fits == [learned, other]
    described = [(report.run.database, report.run.ranking, report.run.num_bits) for report in reports]
    assert described == [
        ("learned", "asymmetric", 16),
        ("encoded", "asymmetric", 16),
        ("encoded", "symmetric", 16),
        ("learned", "asymmetric", 8),
    ]
    (alone,) = evaluate_protocol(_settings(class_folder, encoded))
    assert reports[1].measurement == alone.measurement


def test_a_broken_picture_is_counted_and_left_out(class_folder: Path) -> None:
    (class_folder / "top" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    report = evaluate_protocol(_settings(class_folder, MethodRun(method="lsh", num_bits=8)))[0]
    assert report.run.num_rejected == 1
    assert report.run.num_database + report.run.num_queries == 40


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (MethodRun(method="sha", num_bits=8), InvalidSetting, "method = 'sha'"),
        (MethodRun(method="itq", num_bits=8, num_tables=2), InvalidSetting, "num_tables"),
        (MethodRun(method="lsh", num_bits=0), InvalidSetting, "num_bits = 0"),
        (MethodRun(method="lsh", num_bits=8, num_tables=2, ranking="hamming"), UsageError, "use summed or collisions"),
    ],
)
def test_a_run_that_cannot_be_is_refused(
    class_folder: Path, run: MethodRun, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate_protocol(_settings(class_folder, run))


def test_no_run_and_unknown_protocol_are_refused(class_folder: Path) -> None:
    with pytest.raises(UsageError, match="at least one method"):
        evaluate_protocol(_settings(class_folder))
    run = MethodRun(method="lsh", num_bits=8)
    with pytest.raises(UnknownName, match="protocol"):
        evaluate_protocol(EvaluateProtocolSettings(protocol="mnist", features="pixels", runs=(run,)))


def test_a_sample_to_learn_from_is_no_database_to_search(class_folder: Path) -> None:
    run = MethodRun(method="dsh", num_bits=8, settings=_LEARNED)
    settings = replace(_settings(class_folder, run), max_training=12)
    (report,) = evaluate_protocol(settings)
    assert (report.run.num_training, report.run.num_database) == (12, 36)
    learned = MethodRun(method="spdaq", num_bits=8, settings=_LEARNED, database="learned")
    with pytest.raises(UsageError, match="training set, which is not the database"):
        evaluate_protocol(replace(settings, runs=(learned,)))


@pytest.mark.parametrize("wrong", [{"max_queries": 0}, {"max_training": 0}, {"device": "tpu"}])
def test_settings_out_of_range_are_refused(class_folder: Path, wrong: dict[str, Any]) -> None:
    run = MethodRun(method="lsh", num_bits=8)
    with pytest.raises(UsageError, match=r"at least one|expected one of auto, cpu, cuda"):
        evaluate_protocol(replace(_settings(class_folder, run), **wrong))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_no_cpu(class_folder: Path) -> None:
    run = MethodRun(method="dsh", num_bits=8, settings=_LEARNED)
    with pytest.raises(MissingAccelerator, match="sees no GPU"):
        evaluate_protocol(replace(_settings(class_folder, run), device="cuda"))
