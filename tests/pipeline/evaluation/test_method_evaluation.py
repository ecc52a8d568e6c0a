from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from operators.features.feature_extractor import Json
from operators.features.feature_registry import create_features
from operators.hashers.quantizer import Quantizer
from pipeline.errors import UsageError
from pipeline.evaluation.class_folder import ClassFolder
from pipeline.evaluation.labelled_pictures import LabelledPictures
from pipeline.evaluation.method_evaluation import EvaluatedFeatures, MethodEvaluation, learns_by_epochs
from pipeline.evaluation.method_run import MethodRun
from pipeline.evaluation.neighbour_gallery import GallerySettings
from pipeline.evaluation.retrieval_measurement import MeasurementSettings
from pipeline.evaluation.retrieval_protocol import ProtocolData

_LEARNED = MethodRun(method="spdaq", num_bits=8, settings={"network": "mlp", "num_epochs": 1}, database="learned")


def _pictures(count: int, labels: tuple[tuple[str, ...], ...] = (("dark",), ("light",))) -> LabelledPictures:
    """Dark and light pictures in turn."""

    def read(row: int) -> bytes:
        buffer = BytesIO()
        pixels = np.random.default_rng(row).integers(0, 80, (8, 8), np.uint8) + 150 * (row % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    return LabelledPictures(
        keys=tuple(f"{row}.png" for row in range(count)),
        labels=tuple(labels[row % 2] for row in range(count)),
        read=read,
    )


def _evaluation(data: ProtocolData) -> MethodEvaluation:
    features = EvaluatedFeatures(name="pixels", extractor=create_features("pixels", side=8))
    return MethodEvaluation(ClassFolder("unused", 0), data, features)


def _measure(evaluation: MethodEvaluation, run: MethodRun) -> float:
    fitted = evaluation.fit(run, run.hasher(0), 0)
    report = evaluation.measure(fitted, MeasurementSettings(cutoffs=(10,)), GallerySettings(num_queries=0))
    return report.metrics["map_at_10"]


def test_methods_learn_from_the_training_set_where_there_is_one() -> None:
    whole = _evaluation(ProtocolData(database=_pictures(40), queries=_pictures(6)))
    apart = _evaluation(ProtocolData(database=_pictures(40), queries=_pictures(6), training=_pictures(20)))
    run = MethodRun(method="itq", num_bits=4)
    assert _measure(apart, run) > 0.9
    assert apart.fit(run, run.hasher(0), 0).hasher.training_codes is None
    fitted = [evaluation.fit(_LEARNED, _LEARNED.hasher(0), 0) for evaluation in (whole, apart)]
    assert [len(each.hasher.training_codes or ()) for each in fitted] == [40, 20]
    assert whole.offers_learned_codes(fitted[0])
    assert not apart.offers_learned_codes(fitted[1])
    with pytest.raises(UsageError, match="training set, which is not the database"):
        apart.measure(fitted[1], MeasurementSettings(), GallerySettings())


def test_real_vectors_of_an_ablation_are_ranked_by_inner_products() -> None:
    whole = _evaluation(ProtocolData(database=_pictures(40), queries=_pictures(6)))
    settings: dict[str, Json] = {
        "network": "mlp",
        "num_epochs": 6,
        "batch_size": 10,
        "num_sampled": 40,
        "variant": "nQ",
    }
    run = MethodRun(method="spdaq", num_bits=8, settings=settings, ranking="unquantized")
    assert _measure(whole, run) > 0.9
    fitted = whole.fit(run, run.hasher(0), 0)
    health = whole.measure(fitted, MeasurementSettings(), GallerySettings(num_queries=0)).code_health
    assert isinstance(fitted.hasher, Quantizer)
    assert fitted.hasher.training_vectors is not None
    num_distinct = len(np.unique(fitted.hasher.training_vectors, axis=0))
    assert (health.num_bits, health.num_distinct_codes) == (32 * fitted.hasher.training_vectors.shape[1], num_distinct)
    apart = _evaluation(ProtocolData(database=_pictures(40), queries=_pictures(6), training=_pictures(20)))
    with pytest.raises(UsageError, match="trained on the database"):
        _measure(apart, run)
    with pytest.raises(UsageError, match="got spdaq; use another ranking"):
        _measure(whole, replace(run, settings={**settings, "variant": "full"}))


def test_several_labels_per_picture_teach_too() -> None:
    labels = (("dark", "any"), ("light", "other"))
    data = ProtocolData(database=_pictures(40, labels), queries=_pictures(6, labels))
    run = MethodRun(method="dsh", num_bits=8, settings={"network": "mlp", "num_epochs": 2})
    assert _measure(_evaluation(data), run) > 0.9


def test_methods_that_learn_by_epochs_are_known_without_being_made() -> None:
    assert learns_by_epochs(_LEARNED.hasher(0))
    assert not learns_by_epochs(MethodRun(method="itq", num_bits=4).hasher(0))
