"""The compiled scan of quantized codes against a sort of all distances."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from operators.kernels import asymmetric_nearest, lookup_masks
from operators.kernels.asymmetric_nearest import AsymmetricNearest
from operators.kernels.asymmetric_numpy import asymmetric_distances
from operators.kernels.hamming_numpy import code_words
from operators.kernels.smallest_k import WIDE_POSITION_BITS, composite_keys, split_keys
from operators.kernels.sortable_floats import sortable_numbers
from operators.quantization.lookup_tables import LookupTables
from operators.search.allowed_rows import AllowedRows

Tables = np.ndarray
_KINDS = ("normal", "whole", "zeros", "shifted", "lopsided", "huge")


def _tables(kind: str, num_queries: int, num_codebooks: int, rng: np.random.Generator) -> Tables:
    shape = (num_queries, num_codebooks, 256)
    values = {
        "normal": rng.normal(size=shape),
        "whole": rng.integers(-2, 3, shape),
        "zeros": np.where(rng.random(shape) < 0.5, 0.0, -0.0),
        "shifted": rng.random(shape) + 1e6,
        "lopsided": rng.random(shape) * 10.0 ** rng.integers(-6, 6, (num_queries, num_codebooks, 1)),
        "huge": rng.normal(size=shape) * 1e36,
    }
    return values[kind].astype(np.float32)


def _expected(
    codes: np.ndarray, tables: Tables, k: int, allowed: np.ndarray, below: int | None
) -> list[list[tuple[int, int]]]:
    """(number of the distance, position) of the k nearest, by sorting all."""
    numbers = sortable_numbers(asymmetric_distances(LookupTables(tables), np.ascontiguousarray(codes.T)))
    kept = [
        np.sort(
            composite_keys(row, np.arange(len(codes)), WIDE_POSITION_BITS)[
                allowed & (row < (2**32 if below is None else below))
            ]
        )[:k]
        for row in numbers
    ]
    return [list(zip(*(part.tolist() for part in split_keys(keys, WIDE_POSITION_BITS)), strict=True)) for keys in kept]


def _found(scan: AsymmetricNearest) -> list[list[tuple[int, int]]]:
    keys, counts = scan.sorted_keys()
    found = [split_keys(row[:count], WIDE_POSITION_BITS) for row, count in zip(keys, counts, strict=True)]
    return [list(zip(distances.tolist(), positions.tolist(), strict=True)) for distances, positions in found]


def _feed(scan: AsymmetricNearest, codes: np.ndarray, first: int, allowed: np.ndarray | None) -> None:
    bitmap = None if allowed is None else AllowedRows.from_mask(allowed).words
    scan.feed(code_words(codes), first, bitmap)


@pytest.mark.parametrize("has_byte_lookup", sorted({False, lookup_masks.has_byte_lookup()}))
@settings(max_examples=120, deadline=None)
@example(kind="shifted", num_codes=3000, num_codebooks=8, k=3, share=1.0, seed=0)
@example(kind="lopsided", num_codes=3000, num_codebooks=16, k=300, share=0.5, seed=1)
@example(kind="huge", num_codes=3000, num_codebooks=3, k=3, share=1.0, seed=1)
@given(
    kind=st.sampled_from(_KINDS),
    num_codes=st.integers(0, 700),
    num_codebooks=st.integers(1, 20),
    k=st.integers(1, 300),
    share=st.sampled_from([0.0, 0.05, 0.9, 1.0]),
    seed=st.integers(0, 2**32),
)
def test_equals_a_sort_of_everything(
    has_byte_lookup: bool, kind: str, num_codes: int, num_codebooks: int, k: int, share: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    num_words = int(rng.choice([1, 3, 256]))  # few: most distances tie
    codes = rng.integers(0, num_words, (num_codes, num_codebooks), dtype=np.uint8)
    tables = _tables(kind, 3, num_codebooks, rng)
    allowed = rng.random(num_codes) < share
    below = None
    if num_codes and rng.random() < 0.5:
        numbers = sortable_numbers(asymmetric_distances(LookupTables(tables), np.ascontiguousarray(codes.T)))
        below = int(rng.choice(numbers.ravel()))
    scan = AsymmetricNearest(tables, k=k, below=below)
    cuts = np.sort(rng.integers(0, num_codes + 1, 2))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(asymmetric_nearest, "_HAS_BYTE_LOOKUP", has_byte_lookup)
        for first, last in zip([0, *cuts], [*cuts, num_codes], strict=True):
            _feed(scan, codes[first:last], int(first), None if share == 1 else allowed[first:last])
    assert _found(scan) == _expected(codes, tables, k, allowed | (share == 1), below)


@pytest.mark.parametrize("below", [0, 2**32 - 1])
def test_a_bound_beyond_all_numbers(below: int) -> None:
    tables = _tables("normal", 1, 2, np.random.default_rng(0))
    scan = AsymmetricNearest(tables, k=4, below=below)
    _feed(scan, np.zeros((10, 2), np.uint8), 0, None)
    assert scan.sorted_keys()[1].tolist() == [0 if below == 0 else 4]


def test_many_codes_keep_no_more_than_asked() -> None:
    rng = np.random.default_rng(3)
    codes, tables = rng.integers(0, 256, (50_000, 4), dtype=np.uint8), _tables("normal", 2, 4, rng)
    scan = AsymmetricNearest(tables, k=5)
    _feed(scan, codes, 0, None)
    assert AsymmetricNearest.state_bytes(5, 4) == scan._kept.keys[0].nbytes + 5 * tables[0].size
    assert _found(scan) == _expected(codes, tables, 5, np.ones(len(codes), bool), None)
