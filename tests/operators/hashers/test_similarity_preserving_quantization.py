"""SPDAQ: learned codes find their class, ablations are what they say, runs resume, losses are those of plain loops."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from operators.errors import InvalidSetting, TrainingDiverged
from operators.hashers.similarity_preserving_quantization import SimilarityPreservingQuantization
from operators.hashers.similarity_quantization_run import SimilarityQuantizationRun
from operators.hashers.similarity_quantization_settings import VARIANTS
from operators.kernels.asymmetric_numpy import asymmetric_distances

_ITEMS, _DIMS = 400, 12


def _data(num_items: int = _ITEMS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 4, num_items)
    centres = np.random.default_rng(99).standard_normal((4, _DIMS))
    return (centres[classes] + 0.4 * rng.standard_normal((num_items, _DIMS))).astype(np.float32), classes


def _hasher(**chosen: object) -> SimilarityPreservingQuantization:
    given: dict[str, object] = {
        "num_bits": 16,
        "seed": 0,
        "network": "mlp",
        "num_epochs": 4,
        "num_sampled": 200,
        "batch_size": 20,
        "width": 8,
    }
    return SimilarityPreservingQuantization(**{**given, **chosen})


@cache
def _fitted(variant: str, num_bits: int = 16) -> SimilarityPreservingQuantization:
    hasher = _hasher(variant=variant, num_bits=num_bits)
    hasher.fit(*_data())
    return hasher


def _share_of_class(scores: np.ndarray, own: np.ndarray, database: np.ndarray) -> float:
    """Of the ten best scored items of every query, those of its class."""
    nearest = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    return float((database[nearest] == own[:, None]).mean())


def _table_scores(hasher: SimilarityPreservingQuantization, queries: np.ndarray, packed: np.ndarray) -> np.ndarray:
    columns = np.ascontiguousarray(packed.T)
    return -asymmetric_distances(hasher.lookup_tables(queries), columns)


@pytest.mark.parametrize("num_bits", [8, 16, 32])
@pytest.mark.parametrize("database", ["learned", "encoded"])
def test_queries_find_their_class(num_bits: int, database: str) -> None:
    hasher, (features, classes) = _fitted("full", num_bits), _data()
    queries, own = _data(60, seed=1)
    codes = hasher.training_codes if database == "learned" else hasher.encode(features)
    assert codes is not None
    assert codes.num_bits == num_bits
    assert _share_of_class(_table_scores(hasher, queries, codes.packed), own, classes) > 0.9


@pytest.mark.parametrize("variant", ["LD", "LL", "nC"])
def test_ablations_learn_as_well_on_easy_classes(variant: str) -> None:
    hasher, (features, classes) = _fitted(variant), _data()
    queries, own = _data(60, seed=1)
    assert _share_of_class(_table_scores(hasher, queries, hasher.encode(features).packed), own, classes) > 0.8


def test_unquantized_vectors_are_for_their_ablation_only() -> None:
    (features, classes), (queries, own) = _data(), _data(60, seed=1)
    for variant in VARIANTS:
        vectors = _fitted(variant).training_vectors
        assert (vectors is not None) == (variant == "nQ")
        assert (_fitted(variant).training_codes is None) == (variant in ("nQ", "LL"))
    hasher = _fitted("nQ")
    vectors = hasher.training_vectors
    assert vectors is not None
    assert vectors.shape == (_ITEMS, 8)
    assert _share_of_class(hasher.outputs(queries) @ vectors.T, own, classes) > 0.9
    assert len(hasher.encode(features)) == _ITEMS


def test_distance_is_the_negative_inner_product_with_the_decoded_code() -> None:
    hasher, (features, _) = _fitted("full"), _data()
    codes = hasher.encode(features[:50])
    outputs, decoded = hasher.outputs(features[:7]), hasher.reconstruct(codes)
    found = _table_scores(hasher, features[:7], codes.packed)
    np.testing.assert_allclose(found, outputs @ decoded.T, atol=1e-3)
    own = asymmetric_distances(hasher.lookup_tables_of(codes), np.ascontiguousarray(codes.packed.T))
    np.testing.assert_allclose(own, -decoded @ decoded.T, atol=1e-3)


def test_several_labels_per_item() -> None:
    features, classes = _data()
    labels = np.eye(4, dtype=np.int64)[classes]
    labels[::3, 0] = 1
    hasher = _hasher()
    hasher.fit(features, labels)
    queries, own = _data(60, seed=1)
    codes = hasher.training_codes
    assert codes is not None
    nearest = np.argsort(-_table_scores(hasher, queries, codes.packed), axis=1, kind="stable")[:, :10]
    assert labels[nearest, own[:, None]].mean() > 0.9


def test_without_its_classification_term_the_weight_of_that_term_changes_nothing() -> None:
    networks = []
    for classification in (0.5, 4.0):
        hasher = _hasher(variant="nC", num_epochs=1, classification=classification)
        hasher.fit(*_data())
        networks.append(hasher.tensors())
    for name, array in networks[0].items():
        np.testing.assert_array_equal(array, networks[1][name])
    full = _hasher(num_epochs=1)
    full.fit(*_data())
    assert any((array != networks[0][name]).any() for name, array in full.tensors().items())


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_ends_bit_equal(variant: str) -> None:
    killed, resumed = _hasher(variant=variant), _hasher(variant=variant)
    run = killed.start(*_data())
    for epoch in range(2):
        run.run_epoch(epoch)
    state = run.state()
    run = resumed.start(*_data())
    run.load_state(state)
    for epoch in range(2, run.num_epochs):
        run.run_epoch(epoch)
    run.publish()
    undisturbed = _fitted(variant)
    for name, array in undisturbed.tensors().items():
        np.testing.assert_array_equal(array, resumed.tensors()[name])
    if undisturbed.training_codes is not None and resumed.training_codes is not None:
        np.testing.assert_array_equal(undisturbed.training_codes.packed, resumed.training_codes.packed)


def _run(hasher: SimilarityPreservingQuantization) -> SimilarityQuantizationRun:
    run = hasher.start(*_data())
    assert isinstance(run, SimilarityQuantizationRun)
    return run


@pytest.mark.parametrize("variant", ["full", "nC"])
def test_the_loss_of_a_batch_is_that_of_plain_loops(variant: str) -> None:
    """Up to the mean square of the targets, which is left out: two batches differ as the loops say."""
    run = _run(_hasher(variant=variant, similarity=1.3, tie=0.2, classification=0.7))
    batches = list(run.batches(0, np.random.default_rng(0)))
    state, patterns = run.state(), run._database.patterns
    vectors = state["vectors"].astype(np.float64)
    features, classes = _data()
    run.module.eval()

    def by_loops(rows: np.ndarray) -> tuple[float, float]:
        outputs = run.module.get_submodule("network")(torch.from_numpy(features[rows]))
        logits = run.module.get_submodule("classifier")(outputs)
        entropy = float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(classes[rows])).detach())
        fit, tie, constant = 0.0, 0.0, 0.0
        for row, output in zip(rows, outputs.detach().double().numpy(), strict=True):
            wanted = 1.3 * patterns.similarity[patterns.of_item[row], patterns.of_item]
            fit += float(np.mean([(output @ v - w) ** 2 for v, w in zip(vectors, wanted, strict=True)])) / len(rows)
            constant += float(np.square(wanted).mean()) / len(rows)
            tie += float(np.square(output - vectors[row]).sum()) / len(rows)
        weight = 0.0 if variant == "nC" else 0.7
        return fit - constant + 0.2 * tie + weight * entropy, fit - constant

    for rows in batches[:2]:
        losses = run.losses(torch.from_numpy(rows), torch.Generator())
        loss, similarity = by_loops(rows)
        assert float(losses["loss"].detach()) == pytest.approx(loss, rel=1e-4)
        assert float(losses["similarity"].detach()) == pytest.approx(similarity, rel=1e-4, abs=1e-6)


def test_every_round_samples_other_items() -> None:
    run = _run(_hasher())
    first, second = (np.concatenate(list(run.batches(epoch, np.random.default_rng(epoch)))) for epoch in (0, 1))
    assert len(np.unique(first)) == len(np.unique(second)) == 200
    assert set(first.tolist()) != set(second.tolist())


def test_more_sampled_than_there_are_takes_all() -> None:
    hasher = _hasher(num_sampled=10_000, num_epochs=1)
    hasher.fit(*_data())
    assert hasher.training_codes is not None


@pytest.mark.parametrize("num_bits", [4, 12, 136])
def test_widths_that_are_no_whole_codebooks_are_refused(num_bits: int) -> None:
    with pytest.raises(InvalidSetting, match=r"spdaq.num_bits = .*multiple of 8 up to 128"):
        _hasher(num_bits=num_bits)


def test_outputs_that_blow_up_after_the_last_step_are_noticed() -> None:
    run = _run(_hasher(num_epochs=1))
    list(run.batches(0, np.random.default_rng(0)))
    with torch.no_grad():
        next(run.module.get_submodule("network").parameters()).fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match="network outputs"):
        run._sampled_side()
