"""Asymmetric distances against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.quantization.lookup_tables import LookupTables


def _tables(num_queries: int, num_codebooks: int, seed: int) -> LookupTables:
    values = np.random.default_rng(seed).standard_normal((num_queries, num_codebooks, 256)) * 100
    return LookupTables(values.astype(np.float32))


@given(st.integers(0, 4), st.integers(1, 9), st.integers(0, 30), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_looks_up_and_adds(num_queries: int, num_codebooks: int, num_codes: int, seed: int) -> None:
    tables = _tables(num_queries, num_codebooks, seed)
    columns = np.random.default_rng(seed).integers(0, 256, (num_codebooks, num_codes)).astype(np.uint8)
    distances = asymmetric_distances(tables, columns)
    assert distances.shape == (num_queries, num_codes)
    for query in range(num_queries):
        for code in range(num_codes):
            expected = np.float32(0)
            for codebook in range(num_codebooks):
                expected = expected + tables.values[query, codebook, columns[codebook, code]]
            assert distances[query, code] == expected


@pytest.mark.parametrize("columns", [np.zeros((3, 5), np.uint8), np.zeros((2, 5), np.int64), np.zeros(2, np.uint8)])
def test_columns_for_other_tables_are_refused(columns: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match=r"code columns: got .*, expected uint8 \(2, num_codes\)"):
        asymmetric_distances(_tables(1, 2, 0), columns)


@pytest.mark.parametrize(
    "values", [np.zeros((1, 2, 255), np.float32), np.zeros((1, 2, 256)), np.zeros((2, 256), np.float32)]
)
def test_tables_of_another_shape_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match="lookup tables"):
        LookupTables(values)


def test_tables_that_are_not_finite_are_refused() -> None:
    values = np.zeros((1, 1, 256), np.float32)
    values[0, 0, 9] = np.nan
    with pytest.raises(ShapeMismatch, match="NaN"):
        LookupTables(values)
