"""The projection equals whole-number arithmetic, and no split, order or thread count changes a bit."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import NonFiniteFeatures, NotFitted, ShapeMismatch
from operators.quantization.exact_projection import ExactProjection

_HASH_OF_PROJECTION = """
import hashlib, numpy as np
from operators.quantization.exact_projection import ExactProjection
rng = np.random.default_rng(5)
projection = ExactProjection(rng.random(700, np.float32), rng.standard_normal((700, 96), np.float32))
print(hashlib.sha256(projection.project(rng.random((501, 700), np.float32)).tobytes()).hexdigest())
"""


def _random_projection(seed: int, num_dims: int, num_bits: int) -> ExactProjection:
    rng = np.random.default_rng(seed)
    return ExactProjection(rng.random(num_dims, np.float32), rng.standard_normal((num_dims, num_bits), np.float32))


def _rows(seed: int, num_items: int, num_dims: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.integers(-12, 12, (num_items, 1))
    return (rng.standard_normal((num_items, num_dims)) * scales).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    num_items=st.integers(1, 70),
    num_dims=st.integers(1, 400),
    num_bits=st.integers(1, 70),
    data=st.data(),
)
def test_no_split_changes_a_bit(seed: int, num_items: int, num_dims: int, num_bits: int, data: st.DataObject) -> None:
    projection = _random_projection(seed, num_dims, num_bits)
    rows = _rows(seed, num_items, num_dims)
    whole = projection.project(rows)
    cuts = sorted(data.draw(st.sets(st.integers(1, num_items), max_size=6)) - {num_items})
    parts = [projection.project(part) for part in np.split(rows, cuts)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    order = np.random.default_rng(seed).permutation(num_items)
    np.testing.assert_array_equal(projection.project(rows[order]), whole[order])


@pytest.mark.parametrize("num_dims", [1, 64, 324, 1764, 12288])
def test_nothing_is_rounded_in_the_sum(num_dims: int) -> None:
    """Largest values of one sign everywhere: the sum that needs the most bits, against Python's whole numbers."""
    rng = np.random.default_rng(num_dims)
    projection = ExactProjection(np.zeros(num_dims, np.float32), 1 + rng.random((num_dims, 3), np.float32))
    rows = 1 + rng.random((2, num_dims), np.float32)
    row_unit = 2.0 ** (np.frexp(rows.max(axis=1, keepdims=True))[1] - projection._row_bits)
    whole_rows = np.rint(rows / row_unit).astype(int).tolist()
    columns = projection._whole_matrix.T.astype(int).tolist()
    expected = [[sum(x * w for x, w in zip(row, column, strict=True)) for column in columns] for row in whole_rows]
    assert max(map(max, expected)) <= 2**53
    scaled = [[float(value) for value in line] for line in expected] * row_unit * projection._column_units
    np.testing.assert_array_equal(projection.project(rows), scaled)


@pytest.mark.parametrize("num_dims", [3, 324, 12288])
def test_close_to_the_real_product(num_dims: int) -> None:
    projection = _random_projection(1, num_dims, 40)
    rows = _rows(2, 30, num_dims)
    centred = rows.astype(np.longdouble) - projection.mean
    expected = centred @ projection.matrix.astype(np.longdouble)
    scale = np.linalg.norm(centred.astype(float), axis=1)[:, None] * np.linalg.norm(projection.matrix, axis=0)
    assert np.abs(projection.project(rows) - expected.astype(float)).max() <= 1e-5 * scale.max()
    assert (np.abs(projection.project(rows) - expected.astype(float)) <= 1e-5 * scale).all()


def test_number_of_threads_changes_no_bit() -> None:
    digests = set()
    for num_threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, num_threads)}
        done = subprocess.run(
            [sys.executable, "-c", _HASH_OF_PROJECTION], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout)
    assert len(digests) == 1


def test_rows_equal_to_the_mean_project_to_zero_and_empty_batches_to_nothing() -> None:
    projection = _random_projection(3, 5, 4)
    assert not projection.project(projection.mean[None, :]).any()
    assert projection.project(np.empty((0, 5), np.float32)).shape == (0, 4)


def test_extreme_values_neither_overflow_nor_vanish() -> None:
    limits = np.finfo(np.float32)
    projection = ExactProjection(np.zeros(2, np.float32), np.array([[limits.max], [0]], np.float32))
    tiny = limits.smallest_subnormal
    rows = np.array([[limits.max, 0], [-limits.max, 0], [tiny, 0], [-tiny, 0]], np.float32)
    assert np.sign(projection.project(rows)).ravel().tolist() == [1, -1, 1, -1]


def test_wrong_rows() -> None:
    projection = _random_projection(3, 5, 4)
    with pytest.raises(ShapeMismatch, match=r"expected float32 \(num_items, 5\)"):
        projection.project(np.zeros((1, 6), np.float32))
    with pytest.raises(NonFiniteFeatures, match="rows 1"):
        projection.project(np.array([[0] * 5, [np.nan] * 5], np.float32))


@pytest.mark.parametrize(
    ("mean", "matrix"),
    [
        (np.zeros(3, np.float32), np.zeros((2, 4), np.float32)),
        (np.zeros(2), np.zeros((2, 4), np.float32)),
        (np.zeros(2, np.float32), np.full((2, 4), np.nan, np.float32)),
    ],
)
def test_tensors_that_do_not_fit(mean: np.ndarray, matrix: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match="mean and matrix"):
        ExactProjection(mean, matrix)


def test_restoring_from_tensors() -> None:
    tensors = _random_projection(3, 5, 4).tensors()
    rows = _rows(1, 3, 5)
    again = ExactProjection.from_tensors(tensors, method="lsh", num_bits=4)
    np.testing.assert_array_equal(again.project(rows), _random_projection(3, 5, 4).project(rows))
    with pytest.raises(NotFitted, match="lsh has not been fitted"):
        ExactProjection.from_tensors({}, method="lsh", num_bits=4)
    with pytest.raises(ShapeMismatch, match="lsh tensors: got mean, expected mean, projection"):
        ExactProjection.from_tensors({"mean": tensors["mean"]}, method="lsh", num_bits=4)
    with pytest.raises(ShapeMismatch, match=r"lsh projection: .* expected float32 \(num_dims, 8\)"):
        ExactProjection.from_tensors(tensors, method="lsh", num_bits=8)
