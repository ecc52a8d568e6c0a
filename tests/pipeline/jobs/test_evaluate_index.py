from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from operators.binary_codes import BinaryCodes
from operators.features.pixel_features import PixelFeatures
from operators.hashers.iterative_quantization import IterativeQuantization
from operators.hashers.product_quantization import ProductQuantization
from operators.metrics.relevance import same_label
from operators.models.hashing_model import HashingModel
from pipeline.errors import ModelMismatch, ObjectNotFound, UnknownName, UsageError
from pipeline.evaluation.code_distances import code_distances
from pipeline.evaluation.labelled_codes import LabelledCodes
from pipeline.evaluation.retrieval_measurement import MeasurementSettings, measure_retrieval
from pipeline.jobs.evaluate_index import (
    IndexSampling,
    IndexSubject,
    IndexToEvaluate,
    evaluate_codes,
    evaluate_index,
)
from pipeline.model_store.model_store import ModelStore
from pipeline.object_store.open_store import open_store
from tests.pipeline.evaluation.small_evaluation import png
from tests.pipeline.shard_index.index_examples import FINGERPRINT, build_example, make_corpus

NUM_ITEMS = 60
SUBJECT = IndexSubject(name="index photos", features="hog", method="itq")


def _labelled(seed: int = 0) -> LabelledCodes:
    generator = np.random.default_rng(seed)
    return LabelledCodes(
        codes=BinaryCodes.from_bits(generator.random((NUM_ITEMS, 12)) < 0.5),
        ids=generator.permutation(1000)[:NUM_ITEMS].astype(np.int64),
        labels=[("cat", "dog", "cow")[row % 3] for row in range(NUM_ITEMS)],
        keys=[f"{row}.jpg" for row in range(NUM_ITEMS)],
        uris=[f"/photos/{row}.jpg" for row in range(NUM_ITEMS)],
    )


def test_every_item_asks_for_the_others() -> None:
    labelled = _labelled().in_order_of_ids()
    report = evaluate_codes(labelled, SUBJECT, IndexSampling())
    numbers = np.array([("cat", "dog", "cow").index(label or "") for label in labelled.labels])
    values = []
    for row in range(NUM_ITEMS):
        others = np.flatnonzero(np.arange(NUM_ITEMS) != row)
        alone = code_distances(labelled.codes[np.array([row])], labelled.codes[others], "hamming", 1)
        measured = measure_retrieval(alone, same_label(numbers[[row]], numbers[others]), MeasurementSettings())
        values.append(measured.metrics["map_at_10_tie_expected"])
    assert report.metrics["map_at_10_tie_expected"] == pytest.approx(np.mean(values), abs=1e-12)
    assert (report.run.num_queries, report.run.num_database, report.run.protocol) == (60, 60, "index photos")


def test_the_order_of_rows_changes_nothing() -> None:
    labelled = _labelled()
    order = np.random.default_rng(1).permutation(NUM_ITEMS)
    shuffled = LabelledCodes(
        codes=labelled.codes[order],
        ids=labelled.ids[order],
        labels=[labelled.labels[row] for row in order],
        keys=[labelled.keys[row] for row in order],
        uris=[labelled.uris[row] for row in order],
    )
    sampling = IndexSampling(max_queries=20)
    reports = [evaluate_codes(codes, SUBJECT, sampling) for codes in (labelled, shuffled)]
    assert reports[0].measurement == reports[1].measurement
    assert reports[0].run.num_queries == 20


def test_quantized_codes_are_compared_by_what_they_stand_for() -> None:
    rows = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
    quantizer = ProductQuantization(num_bits=16, seed=0)
    quantizer.fit(rows)
    codes = quantizer.encode(rows)
    labelled = LabelledCodes(
        codes=codes,
        ids=np.arange(300),
        labels=["left" if row[0] < 0 else "right" for row in rows],
        keys=[f"{row}.jpg" for row in range(300)],
        uris=[f"/photos/{row}.jpg" for row in range(300)],
    )
    report = evaluate_codes(labelled, replace(SUBJECT, method="pq", quantizer=quantizer), IndexSampling())
    decoded = quantizer.reconstruct(codes)
    precisions = []
    for item in range(300):
        distances = np.square(decoded - decoded[item]).sum(axis=1)
        distances[item] = np.inf
        nearest = np.argsort(distances, kind="stable")[:10]
        precisions.append(np.mean([labelled.labels[near] == labelled.labels[item] for near in nearest]))
    assert report.run.ranking == "symmetric"
    assert report.metrics["precision_at_10"] == pytest.approx(np.mean(precisions), abs=2e-3)  # ties of equal codes
    assert "precision_radius_2" not in report.metrics


def test_items_without_a_label_are_left_out_and_counted() -> None:
    labelled = _labelled()
    labels = [None] * 7 + list(labelled.labels[7:])
    report = evaluate_codes(replace(labelled, labels=labels), SUBJECT, IndexSampling())
    rest = LabelledCodes(
        codes=labelled.codes[7:],
        ids=labelled.ids[7:],
        labels=labels[7:],
        keys=labelled.keys[7:],
        uris=labelled.uris[7:],
    )
    assert report.measurement == evaluate_codes(rest, SUBJECT, IndexSampling()).measurement
    assert report.run.num_database == NUM_ITEMS - 7
    assert report.run.protocol_summary.endswith("left out: 7 items without a label")


@pytest.mark.parametrize(
    ("labels", "counts"), [([None], "0 of 60 .* 0 different"), (["cat"], "60 of 60 .* 1 different")]
)
def test_fewer_than_two_labels_are_refused_with_counts(labels: list[str | None], counts: str) -> None:
    with pytest.raises(UsageError, match=f"index photos: {counts}; expected at least two classes"):
        evaluate_codes(replace(_labelled(), labels=labels * NUM_ITEMS), SUBJECT, IndexSampling())


def test_pictures_are_fetched_and_a_lost_one_only_leaves_a_gap() -> None:
    def fetch(uri: str) -> bytes:
        if uri == "/photos/0.jpg":
            raise ObjectNotFound(uri)
        return png(100)

    sampling = IndexSampling(num_gallery_queries=NUM_ITEMS)
    gallery = evaluate_codes(_labelled(), replace(SUBJECT, fetch=fetch), sampling).gallery
    pictures = [picture for row in gallery for picture in (row.query, *row.neighbours)]
    assert {picture.key for picture in pictures if picture.thumbnail is None} == {"0.jpg"}
    for row in gallery:
        assert row.query.key not in {picture.key for picture in row.neighbours}


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    """A catalog with the model that `index_examples` says its index was made with."""
    hasher = IterativeQuantization(num_bits=12, seed=0)
    hasher.fit(np.random.default_rng(0).random((50, 48), dtype=np.float32))
    model = HashingModel(PixelFeatures(side=4), hasher)
    ModelStore(str(tmp_path), open_store(str(tmp_path))).save("itq12", model, {})
    build_example(tmp_path, make_corpus(), fingerprint=model.fingerprint)
    return str(tmp_path)


def test_an_index_is_read_from_its_shards(catalog: str) -> None:
    report = evaluate_index(IndexToEvaluate(catalog=catalog, index="photos"), IndexSampling())
    corpus = make_corpus()
    labelled = LabelledCodes(
        codes=corpus.codes,
        ids=corpus.ids,
        labels=corpus.labels,
        keys=[corpus.key(row) for row in range(len(corpus))],
        uris=[""] * len(corpus),
    )
    assert report.measurement == evaluate_codes(labelled, SUBJECT, IndexSampling()).measurement
    assert (report.run.method, report.run.features, report.run.num_bits) == ("itq", "pixels", 12)
    assert report.run.feature_settings["side"] == 4
    assert all(row.query.thumbnail is None for row in report.gallery)  # the pictures of the example do not exist


def test_another_model_than_the_index_was_made_with_is_refused(catalog: str) -> None:
    build_example(catalog, make_corpus())
    with pytest.raises(ModelMismatch, match=f"index photos holds codes of model {FINGERPRINT}"):
        evaluate_index(IndexToEvaluate(catalog=catalog, index="photos"), IndexSampling())


def test_an_unknown_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no index named 'photos'"):
        evaluate_index(IndexToEvaluate(catalog=str(tmp_path), index="photos"), IndexSampling())
