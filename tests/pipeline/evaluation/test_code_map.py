import importlib.util

import numpy as np
import pytest

from operators.hashers.hasher_registry import create_hasher
from operators.hashers.quantizer import Quantizer
from pipeline.errors import MissingExtra
from pipeline.evaluation import code_map
from pipeline.evaluation.code_map import code_vectors, map_codes, require_map_library, sample_rows


def test_distances_of_bit_vectors_are_those_of_codes() -> None:
    features = np.random.default_rng(0).standard_normal((20, 6)).astype(np.float32)
    hasher = create_hasher("lsh", num_bits=12, seed=0)
    hasher.fit(features)
    codes = hasher.encode(features)
    vectors = code_vectors(hasher, codes)
    bits = codes.to_bits()
    for one in range(20):
        for other in range(20):
            assert np.sum((vectors[one] - vectors[other]) ** 2) == 4 * np.sum(bits[one] != bits[other])


def test_quantized_codes_are_what_they_stand_for() -> None:
    features = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    hasher = create_hasher("pq", num_bits=8, seed=0)
    hasher.fit(features)
    assert isinstance(hasher, Quantizer)
    codes = hasher.encode(features)
    np.testing.assert_array_equal(code_vectors(hasher, codes), hasher.reconstruct(codes))


def test_neighbours_stay_neighbours_within_the_unit_square() -> None:
    groups = np.repeat([[0.0] * 8, [9.0] * 8], 20, axis=0) + np.random.default_rng(0).normal(0, 0.1, (40, 8))
    made = map_codes(groups.astype(np.float32), [("cat",)] * 20 + [("dog", "cat")] * 20, seed=3)
    again = map_codes(groups.astype(np.float32), [("cat",)] * 20 + [("dog", "cat")] * 20, seed=3)
    assert made == again
    assert made.class_numbers == [0] * 20 + [1] * 20
    points = np.array([made.x, made.y]).T
    assert points.min() == 0
    assert points.max() == 1
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(40, np.inf))
    assert ((distances.argmin(axis=1) < 20) == (np.arange(40) < 20)).all()


def test_codes_that_are_all_alike_are_one_point() -> None:
    made = map_codes(np.ones((9, 4), np.float32), [("cat",)] * 9, seed=0)
    assert set(made.x) == set(made.y) == {0.5}


def test_only_frequent_classes_have_a_colour_of_their_own() -> None:
    labels = [(f"c{number % 12:02}",) for number in range(34)]  # c00 to c09 thrice, c10 and c11 twice
    made = map_codes(np.zeros((34, 2), np.float32), labels, seed=0)
    assert made.classes == [*(f"c{number:02}" for number in range(10)), "other classes"]
    assert made.class_numbers[10:12] == [10, 10]


def test_the_sample_is_seeded() -> None:
    assert sample_rows(5000, 1).tolist() == sample_rows(5000, 1).tolist() != sample_rows(5000, 2).tolist()
    assert len(sample_rows(5000, 1)) == code_map.MAX_ITEMS
    assert sample_rows(7, 1).tolist() == list(range(7))


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    require_map_library()
    monkeypatch.setattr(
        code_map, "find_spec", lambda name: None if name == "sklearn" else importlib.util.find_spec(name)
    )
    with pytest.raises(MissingExtra, match=r"scikit-learn.*evaluate"):
        require_map_library()
