"""The database side by variant: forms for the network against plain loops, updates that lower what each variant fits,
and words that are refilled."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from operators.errors import ShapeMismatch
from operators.hashers.database_fit import FitWeights, SampledSide, objective
from operators.hashers.quantized_database import QuantizedDatabase
from operators.hashers.similarity_quantization_settings import SimilarityQuantizationSettings

_ITEMS, _WIDTH = 300, 5


def _labels() -> np.ndarray:
    return np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(0, 3, _ITEMS)]


def _database(variant: str, **chosen: object) -> QuantizedDatabase:
    settings = SimilarityQuantizationSettings(num_bits=16, seed=0, width=_WIDTH, variant=variant)
    return QuantizedDatabase(replace(settings, **chosen), _labels())  # type: ignore[arg-type]


def _sampled(seed: int = 1) -> SampledSide:
    rng = np.random.default_rng(seed)
    items = rng.choice(_ITEMS, 100, replace=False)
    centres = np.random.default_rng(9).standard_normal((3, _WIDTH))
    vectors = centres[_labels()[items].argmax(axis=1)] + 0.3 * rng.standard_normal((100, _WIDTH))
    return SampledSide(items=items, vectors=vectors)


def _quantization_error(database: QuantizedDatabase, vectors: np.ndarray, codes: np.ndarray) -> float:
    return float(np.square(vectors - database.books.decode(codes)).sum())


@pytest.mark.parametrize("variant", ["full", "LL"])
def test_forms_give_the_mean_squared_error_of_plain_loops(variant: str) -> None:
    database, items = _database(variant, similarity=1.7), np.arange(0, _ITEMS, 7)
    quadratic, linear = database.similarity_forms(items)
    others = items if variant == "LL" else np.arange(_ITEMS)
    vectors, patterns = database.vectors.astype(np.float64), database.patterns

    def by_loops(output: np.ndarray, pattern: int) -> float:
        wanted = patterns.similarity[pattern, patterns.of_item]
        return float(np.mean([(output @ vectors[j] - 1.7 * wanted[j]) ** 2 for j in others]))

    rng = np.random.default_rng(2)
    for pattern in range(3):
        outputs = rng.standard_normal((2, _WIDTH))
        forms = [float(u @ quadratic @ u - 2 * u @ linear[pattern]) for u in outputs]
        loops = [by_loops(u, pattern) for u in outputs]
        assert forms[0] - forms[1] == pytest.approx(loops[0] - loops[1])


@pytest.mark.parametrize("variant", ["full", "nC"])
def test_updates_for_the_same_outputs_never_raise_the_objective(variant: str) -> None:
    # Without the ridge: refilled words are longer, though nothing decodes to them.
    database, sampled = _database(variant, tie=0.05, ridge=1e-12), _sampled()
    weights = FitWeights(similarity=1.0, tie=0.05 * _ITEMS, ridge=0.0)
    values = []
    for epoch in range(6):
        database.update(sampled, epoch)
        values.append(objective(database.books, database.codes, sampled, database.patterns, weights))
    assert all(later <= earlier * (1 + 1e-4) for earlier, later in itertools.pairwise(values))
    np.testing.assert_array_equal(database.vectors, database.books.decode(database.codes))


@pytest.mark.parametrize("variant", ["LD", "nQ"])
def test_free_vectors_are_quantized_better_and_better(variant: str) -> None:
    database, sampled = _database(variant), _sampled()
    errors = []
    for epoch in range(5):
        database.update(sampled, epoch)
        errors.append(_quantization_error(database, database.vectors, database.codes))
    assert errors[-1] < 0.5 * errors[0]
    assert not np.array_equal(database.vectors, database.books.decode(database.codes))


def test_a_stronger_pull_leaves_vectors_nearer_to_their_codes() -> None:
    errors = []
    for eta in (0.01, 100.0):
        database = _database("LD", eta=eta)
        before = database.books.decode(database.codes)
        database.update(_sampled(), 0)
        errors.append(float(np.square(database.vectors - before).sum()))
    assert errors[1] < 0.1 * errors[0]


def test_from_the_sampled_items_only_nothing_else_is_learned() -> None:
    database, sampled = _database("LL"), _sampled()
    codes, vectors = database.codes.copy(), database.vectors.copy()
    database.code_sampled(sampled)
    database.update(sampled, 0)
    others = np.setdiff1d(np.arange(_ITEMS), sampled.items)
    np.testing.assert_array_equal(database.codes[others], codes[others])
    np.testing.assert_array_equal(database.vectors[others], vectors[others])
    error = _quantization_error(database, sampled.vectors, database.codes[sampled.items])
    assert error < 0.1 * float(np.square(sampled.vectors).sum())


def test_what_each_variant_offers() -> None:
    offered = {
        variant: (database.learned_codes is not None, database.unquantized_vectors is not None)
        for variant in ("full", "nC", "LD", "LL", "nQ")
        for database in [_database(variant)]
    }
    learned, nothing = (True, False), (False, False)
    assert offered == {"full": learned, "nC": learned, "LD": learned, "LL": nothing, "nQ": (False, True)}


@pytest.mark.parametrize("variant", ["full", "LL", "LD"])
def test_every_word_is_of_use_after_an_update(variant: str) -> None:
    database = _database(variant)
    database.update(_sampled(), 0)
    lengths = np.square(database.books.words).sum(axis=2)
    assert (lengths > 0).sum() > 1.9 * 100


def test_state_of_other_items_is_refused() -> None:
    database = _database("full")
    state = database.state()
    for name in state:
        with pytest.raises(ShapeMismatch, match=f"state {name}"):
            database.load_state({**state, name: state[name][:1]})
        with pytest.raises(ShapeMismatch, match=f"state {name}: got none"):
            database.load_state({other: array for other, array in state.items() if other != name})
