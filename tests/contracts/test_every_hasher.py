"""One contract over every hashing method in the registry."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from functools import cache
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import operators.hashers
from operators.errors import InvalidSetting, NonFiniteFeatures, NotFitted, ShapeMismatch
from operators.features.feature_extractor import Json
from operators.hashers.hasher import Hasher
from operators.hashers.hasher_registry import create_hasher, method_names, restore_hasher
from operators.hashers.quantizer import Quantizer
from operators.hashers.trainable_hasher import TrainableHasher

# (method, settings, bits of a code). A method that is not here is never tested, so the first test fails for it.
_CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "lsh": ("lsh", {"num_bits": 20}, 20),
    "lsh uncentred": ("lsh", {"num_bits": 16, "center": False}, 16),
    "lsh of tables": ("lsh", {"num_bits": 12, "num_tables": 8}, 96),
    "itq": ("itq", {"num_bits": 20}, 20),
    "itq 1 bit": ("itq", {"num_bits": 1}, 1),
    "pcah": ("pcah", {"num_bits": 20}, 20),
    "sh": ("sh", {"num_bits": 90}, 90),
    "sph": ("sph", {"num_bits": 20}, 20),
    "sklsh": ("sklsh", {"num_bits": 20}, 20),
    "pq": ("pq", {"num_bits": 24, "num_iterations": 3}, 24),
    "opq": ("opq", {"num_bits": 24, "num_iterations": 3}, 24),
    "deepquan": ("deepquan", {"num_bits": 24, "num_epochs": 3, "hidden": 32}, 24),
    "dsh": ("dsh", {"num_bits": 20, "network": "mlp", "num_epochs": 2}, 20),
    "dsh-balanced": ("dsh-balanced", {"num_bits": 20, "network": "mlp", "num_epochs": 9}, 20),
    "orthohash": ("orthohash", {"num_bits": 20, "network": "mlp", "num_epochs": 2}, 20),
    "spdaq": ("spdaq", {"num_bits": 16, "network": "mlp", "num_epochs": 2}, 16),
    "spdaq nQ": ("spdaq", {"num_bits": 16, "network": "mlp", "num_epochs": 2, "variant": "nQ"}, 16),
    "dvb": ("dvb", {"num_bits": 20, "num_epochs": 30, "hidden": 16, "latent": 8, "manifold": "none"}, 20),
    "dvb mean": (
        "dvb",
        {"num_bits": 9, "num_epochs": 30, "hidden": 16, "latent": 80, "decorrelation": 3.0, "encoding": "mean"},
        9,
    ),
    "agh": ("agh", {"num_bits": 20, "num_anchors": 40, "num_nearest": 3}, 20),
    "agh of 2 layers": ("agh", {"num_bits": 20, "num_anchors": 40, "num_nearest": 3, "num_layers": 2}, 20),
    "dgh": ("dgh", {"num_bits": 20, "num_anchors": 40}, 20),
    "aphash": ("aphash", {"num_bits": 20, "num_anchors": 40, "num_epochs": 10}, 20),
    "aphash-kernel": ("aphash-kernel", {"num_bits": 20, "num_anchors": 40, "num_epochs": 10}, 20),
    "cibhash": ("cibhash", {"num_bits": 20, "network": "mlp", "num_epochs": 6, "batch_size": 32}, 20),
    "cibhash-neighbors": (
        "cibhash-neighbors",
        {"num_bits": 20, "network": "mlp", "num_epochs": 6, "batch_size": 32},
        20,
    ),
    "itq 64": ("itq", {"num_bits": 64, "num_iterations": 5}, 64),
}
# What the seed cannot change: these methods draw nothing at random.
_SEEDLESS = {"itq 1 bit", "pcah", "sh"}  # One bit has one direction and two rotations, +1 and -1.
_NUM_DIMS = 70
_NUM_FITTED = 600  # more than the 256 codewords of a codebook

_DIGEST_IN_A_PROCESS = """
import sys, hashlib, json, numpy as np
import safetensors.numpy
from operators.hashers.hasher_registry import restore_hasher
method, settings, folder = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
hasher = restore_hasher(method, settings, safetensors.numpy.load_file(folder + "/model.safetensors"))
codes = hasher.encode(np.load(folder + "/features.npy"))
print(hashlib.sha256(codes.packed.tobytes()).hexdigest())
"""


def _features(num_items: int, seed: int = 0) -> np.ndarray:
    """Non-negative, correlated and of unequal scale, as features are."""
    rng = np.random.default_rng(seed)
    mixed = rng.random((num_items, _NUM_DIMS)) @ np.random.default_rng(99).random((_NUM_DIMS, _NUM_DIMS))
    return (mixed * np.geomspace(1e-2, 1e2, _NUM_DIMS)).astype(np.float32)


def _create(case: str, seed: int = 0) -> Hasher:
    method, chosen, _ = _CASES[case]
    return create_hasher(method, seed=seed, **chosen)


def _fit(case: str, seed: int = 0) -> Hasher:
    hasher = _create(case, seed)
    hasher.fit(_features(_NUM_FITTED), _labels())
    return hasher


def _labels() -> np.ndarray:
    """Classes that the features know something about."""
    first = _features(_NUM_FITTED)[:, 0]
    return np.searchsorted(np.quantile(first, [0.25, 0.5, 0.75]), first).astype(np.int64)


@cache
def _fitted(case: str) -> Hasher:
    return _fit(case)


@pytest.fixture(params=_CASES)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_class_is_registered_and_has_a_case() -> None:
    found = set()
    for module in pkgutil.iter_modules(operators.hashers.__path__, "operators.hashers."):
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(cls, Hasher) and not inspect.isabstract(cls):
                found.add(cls.method)
    assert found == set(method_names())
    assert found == {method for method, _, _ in _CASES.values()}


def test_width_and_number_of_codes(case: str) -> None:
    hasher = _fitted(case)
    assert hasher.num_bits == _CASES[case][2] == _create(case).num_bits
    for num_items in (0, 1, 7):
        codes = hasher.encode(_features(num_items))
        assert (len(codes), codes.num_bits) == (num_items, hasher.num_bits)


def test_every_bit_takes_both_values(case: str) -> None:
    hasher = _fitted(case)
    if isinstance(hasher, TrainableHasher):  # a few steps; of bits that stay constant, the training gate takes care
        assert len(np.unique(hasher.encode(_features(200)).packed, axis=0)) > 1
    elif _CASES[case][1].get("center", True):
        share = hasher.encode(_features(200)).to_bits().mean(axis=0)
        assert ((share > 0) & (share < 1)).all()


def test_same_seed_same_state_other_seed_other_state(case: str) -> None:
    first, again, other = _fit(case, 5), _fit(case, 5), _fit(case, 6)
    for name, tensor in first.tensors().items():
        np.testing.assert_array_equal(tensor, again.tensors()[name])
    if case in _SEEDLESS:
        return
    assert any((tensor != other.tensors()[name]).any() for name, tensor in first.tensors().items())


def test_global_random_state_is_neither_read_nor_changed(case: str) -> None:
    np.random.seed(1)
    first = _fit(case).tensors()
    state = np.random.get_state()[1].tolist()  # type: ignore[index]
    np.random.seed(2)
    second = _fit(case).tensors()
    np.random.seed(1)
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index]
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor, second[name])


def test_labels_are_accepted_and_nothing_given_is_changed(case: str) -> None:
    features, labels = _features(_NUM_FITTED), _labels()
    features.flags.writeable = labels.flags.writeable = False
    hasher = _create(case)
    hasher.fit(features, labels)
    codes = hasher.encode(features)
    np.testing.assert_array_equal(features, _features(_NUM_FITTED))
    np.testing.assert_array_equal(hasher.encode(features).packed, codes.packed)


def test_labels_are_asked_for_by_those_that_need_them(case: str) -> None:
    hasher = _create(case)
    if hasher.needs_labels:
        with pytest.raises(InvalidSetting, match="labels"):
            hasher.fit(_features(_NUM_FITTED))
    else:
        hasher.fit(_features(_NUM_FITTED))
        assert len(hasher.encode(_features(3))) == 3


def test_codes_learned_in_training_are_as_many_and_as_wide_as_they_should_be(case: str) -> None:
    codes = _fitted(case).training_codes
    if codes is not None:
        assert (len(codes), codes.num_bits) == (_NUM_FITTED, _fitted(case).num_bits)


def test_a_run_that_goes_on_from_its_state_ends_as_an_undisturbed_one(case: str) -> None:
    hasher, killed, resumed = _create(case), _create(case), _create(case)
    if not isinstance(hasher, TrainableHasher):
        return
    assert isinstance(killed, TrainableHasher)
    assert isinstance(resumed, TrainableHasher)
    hasher.fit(_features(_NUM_FITTED), _labels())
    run = killed.start(_features(_NUM_FITTED), _labels())
    assert run.num_epochs >= 2, "give the case at least two epochs"
    run.run_epoch(0)
    state = safetensors.numpy.load(safetensors.numpy.save(dict(run.state())))
    run = resumed.start(_features(_NUM_FITTED), _labels())
    run.load_state(state)
    for epoch in range(1, run.num_epochs):
        run.run_epoch(epoch)
    run.publish()
    for name, tensor in hasher.tensors().items():
        np.testing.assert_array_equal(tensor, resumed.tensors()[name])


def test_tables_of_a_query_give_the_distance_to_what_codes_stand_for(case: str) -> None:
    hasher = _fitted(case)
    assert isinstance(hasher, Quantizer) == (hasher.code_kind == "quantized")
    if not isinstance(hasher, Quantizer):
        return
    queries, codes = _features(5, 1), hasher.encode(_features(40, 2))
    tables = hasher.lookup_tables(queries)
    assert (len(tables), tables.num_bits) == (5, hasher.num_bits)
    alone = [hasher.lookup_tables(queries[row : row + 1]).values[0] for row in range(5)]
    np.testing.assert_array_equal(np.stack(alone), tables.values)
    own = hasher.lookup_tables_of(codes)
    assert (len(own), own.num_bits) == (40, hasher.num_bits)
    assert hasher.reconstruct(codes).dtype == np.float32


def _boundary_items(hasher: Hasher, num_items: int, seed: int) -> np.ndarray:
    """Items on the edge of a bit, where one wrong last digit turns it: bisected between pairs that differ in it."""
    rng = np.random.default_rng(seed)
    low, high = _features(num_items, seed), rng.permutation(_features(num_items, seed + 1))
    start, end = hasher.encode(low).to_bits(), hasher.encode(high).to_bits()
    rows, bit = np.arange(num_items), (rng.random(start.shape) * (start != end)).argmax(axis=1)
    for _ in range(30):
        middle = ((low + high) / 2).astype(np.float32)
        as_low = (hasher.encode(middle).to_bits()[rows, bit] == start[rows, bit])[:, None]
        low, high = np.where(as_low, middle, low), np.where(as_low, high, middle)
    return low


@pytest.mark.parametrize("case", _CASES)
@settings(max_examples=15, deadline=None)
@given(num_items=st.integers(1, 200), seed=st.integers(0, 2**32), data=st.data())
def test_no_split_and_no_order_changes_a_bit(case: str, num_items: int, seed: int, data: st.DataObject) -> None:
    hasher = _fitted(case)
    features = _boundary_items(hasher, num_items, seed)
    whole = hasher.encode(features).packed
    cuts = sorted(data.draw(st.sets(st.integers(1, num_items), max_size=8)) - {num_items})
    parts = [hasher.encode(part).packed for part in np.split(features, cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(hasher.encode(features[::-1]).packed[::-1], whole)
    alone = [hasher.encode(features[row : row + 1]).packed[0] for row in range(num_items)]
    np.testing.assert_array_equal(alone, whole)
    np.testing.assert_array_equal(hasher.encode(np.asfortranarray(features)).packed, whole)


def test_restored_from_files_it_encodes_identically(case: str) -> None:
    hasher = _fitted(case)
    chosen = json.loads(json.dumps(hasher.settings()))
    tensors = safetensors.numpy.load(safetensors.numpy.save(dict(hasher.tensors())))
    again = restore_hasher(hasher.method, chosen, tensors)
    assert again.settings() == hasher.settings()
    assert again.num_bits == hasher.num_bits
    np.testing.assert_array_equal(again.encode(_features(50, 3)).packed, hasher.encode(_features(50, 3)).packed)


@pytest.mark.parametrize("case", ["lsh of tables", "itq 64"])
def test_other_processes_and_thread_counts_change_no_bit(case: str, tmp_path: object) -> None:
    hasher, features = _fitted(case), _features(700, 4)
    np.save(f"{tmp_path}/features.npy", features)
    safetensors.numpy.save_file(dict(hasher.tensors()), f"{tmp_path}/model.safetensors")
    expected = hashlib.sha256(hasher.encode(features).packed.tobytes()).hexdigest()
    for num_threads in ("1", "2"):
        environment = {**os.environ, "OMP_NUM_THREADS": num_threads, "OPENBLAS_NUM_THREADS": num_threads}
        arguments = [hasher.method, json.dumps(hasher.settings()), str(tmp_path)]
        command = [sys.executable, "-c", _DIGEST_IN_A_PROCESS, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_not_fitted(case: str) -> None:
    method = _CASES[case][0]
    for call in (lambda: _create(case).encode(_features(2)), _create(case).tensors):
        with pytest.raises(NotFitted, match=f"{method} has not been fitted"):
            call()
    with pytest.raises(NotFitted):
        restore_hasher(method, _create(case).settings(), {})


def test_other_shapes_and_types_are_refused(case: str) -> None:
    hasher = _fitted(case)
    wrongs: tuple[np.ndarray, ...] = (_features(2)[0], _features(2)[:, 1:], _features(2).astype(np.float64))
    for wrong in wrongs:
        with pytest.raises(ShapeMismatch, match=rf"features: got .*, expected float32 \(num_items, {_NUM_DIMS}\)"):
            hasher.encode(wrong)
    for wrong in (wrongs[0], wrongs[2]):
        with pytest.raises(ShapeMismatch, match="features: got"):
            _create(case).fit(wrong, _labels()[:2])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_rows_that_are_not_finite_are_named(case: str, value: float) -> None:
    features = _features(_NUM_FITTED)
    features[[3, 150], [0, _NUM_DIMS - 1]] = value
    hasher = _create(case)
    with pytest.raises(NonFiniteFeatures) as raised:
        hasher.fit(features, _labels())
    assert raised.value.rows == (3, 150)
    with pytest.raises(NonFiniteFeatures) as raised:
        _fitted(case).encode(features)
    assert raised.value.rows == (3, 150)


def test_settings_that_are_missing_or_unknown_are_named(case: str) -> None:
    hasher = _fitted(case)
    chosen = hasher.settings()
    for setting in chosen:
        fewer = {name: value for name, value in chosen.items() if name != setting}
        changed: dict[str, Json] = {**chosen, setting: [1]}
        for wrong in (fewer, changed):
            with pytest.raises(InvalidSetting, match=f"{hasher.method}.{setting}"):
                restore_hasher(hasher.method, wrong, hasher.tensors())
    with pytest.raises(InvalidSetting, match=f"{hasher.method}.colour = 1"):
        restore_hasher(hasher.method, {**chosen, "colour": 1}, hasher.tensors())
