"""Lookup tables: what they refuse, and sub-codes of half a byte."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.errors import ShapeMismatch
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.quantization.lookup_tables import LookupTables


@given(num_bytes=st.integers(1, 4), seed=st.integers(0, 2**32))
def test_half_bytes_are_looked_up_one_by_one(num_bytes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-99, 99, (3, 2 * num_bytes, 16)).astype(np.float32)
    codes = rng.integers(0, 256, (5, num_bytes), dtype=np.uint8)
    found = asymmetric_distances(LookupTables.of_half_bytes(values), np.ascontiguousarray(codes.T))
    for query in range(3):
        for item in range(5):
            halves = [half for byte in codes[item] for half in (byte >> 4, byte & 15)]
            assert found[query, item] == sum(values[query, number, half] for number, half in enumerate(halves))


@pytest.mark.parametrize(
    "values",
    [np.zeros((1, 3, 16), np.float32), np.zeros((1, 2, 15), np.float32), np.zeros((1, 2, 16)), np.zeros((2, 16), "f4")],
)
def test_other_half_byte_tables_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match="lookup tables of half bytes"):
        LookupTables.of_half_bytes(values)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_tables_hold_finite_values(value: float) -> None:
    values = np.zeros((1, 2, 256), np.float32)
    values[0, 1, 7] = value
    with pytest.raises(ShapeMismatch, match="NaN or infinity"):
        LookupTables(values)
