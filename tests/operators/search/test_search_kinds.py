"""One contract over every kind of search: what it stores opens again, and its answers are those of a sort of all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, SearchCancelled, ShapeMismatch
from operators.quantization.lookup_tables import LookupTables
from operators.search.allowed_rows import AllowedRows
from operators.search.scan_options import ScanOptions
from operators.search.search_kinds import (
    EXACT_KINDS,
    SEARCH_KINDS,
    NearestQuestion,
    build_arrays,
    open_code_search,
)
from tests.oracles import hamming_by_bits, rank_everything, rankings_of

pytest.importorskip("faiss")


def _codes(rng: np.random.Generator, num_items: int, num_bits: int) -> BinaryCodes:
    """Near few centres, some of them equal."""
    bits = (rng.random((3, num_bits)) < 0.5)[rng.integers(0, 3, num_items)]
    return BinaryCodes.from_bits(bits ^ (rng.random((num_items, num_bits)) < 0.05))


def _question(codes: BinaryCodes, queries: BinaryCodes, k: int = 3, below: int | None = None) -> NearestQuestion:
    ids = np.arange(len(codes)) * 3
    return NearestQuestion(queries=queries, ids=ids, k=k, below=below, options=ScanOptions())


@pytest.mark.parametrize("kind", SEARCH_KINDS)
@settings(max_examples=25, deadline=None)
@given(
    num_bits=st.sampled_from([8, 24, 64, 128]),
    num_codes=st.integers(1, 60),
    k=st.integers(1, 70),
    radius=st.one_of(st.none(), st.integers(-1, 20)),
    share=st.sampled_from([None, 0.0, 0.5]),
    seed=st.integers(0, 2**32),
)
def test_answers_what_was_asked(
    kind: str, num_bits: int, num_codes: int, k: int, radius: int | None, share: float | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    codes, queries = _codes(rng, num_codes, num_bits), _codes(rng, 2, num_bits)
    mask = np.ones(num_codes, bool) if share is None else rng.random(num_codes) < share
    ids = np.cumsum(rng.integers(1, 9, num_codes)).astype(np.int64)
    question = NearestQuestion(
        queries=queries,
        ids=ids,
        k=k,
        below=None if radius is None else radius + 1,
        options=ScanOptions(allowed=None if share is None else AllowedRows.from_mask(mask)),
    )
    answer = open_code_search(kind, codes, build_arrays(kind, codes)).nearest(question)
    kept = np.flatnonzero(mask)
    everything = rank_everything(codes[kept], ids[kept], queries, hamming_by_bits)
    inside = [[pair for pair in ranking if radius is None or pair[0] <= radius] for ranking in everything]
    assert answer.k == k
    if kind in EXACT_KINDS:
        assert rankings_of(answer) == [ranking[:k] for ranking in inside]
    else:
        for found, ranking in zip(rankings_of(answer), inside, strict=True):
            assert set(found) <= set(ranking)


@pytest.mark.parametrize("kind", SEARCH_KINDS)
def test_what_is_stored_opens_from_files(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    codes, queries = _codes(rng, 300, 64), _codes(rng, 4, 64)
    arrays = build_arrays(kind, codes)
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=False)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays}
    answers = [open_code_search(kind, codes, each).nearest(_question(codes, queries)) for each in (arrays, mapped)]
    assert rankings_of(answers[0]) == rankings_of(answers[1])
    assert all(answers[0].counts == 3)


@pytest.mark.parametrize("kind", SEARCH_KINDS)
def test_refuses_what_does_not_fit(kind: str) -> None:
    codes = _codes(np.random.default_rng(3), 50, 64)
    search = open_code_search(kind, codes, build_arrays(kind, codes))
    with pytest.raises(ShapeMismatch, match="32 bits"):
        search.nearest(_question(codes, _codes(np.random.default_rng(0), 1, 32)))
    arrays = {**build_arrays(kind, codes), "surplus": np.zeros(1)}
    if kind in EXACT_KINDS:
        with pytest.raises(ShapeMismatch, match="surplus"):
            open_code_search(kind, codes, arrays)
    if kind != "scan":
        tables = LookupTables(np.zeros((1, 8, 256), np.float32))
        asked = NearestQuestion(queries=tables, ids=np.arange(50), k=1, below=None, options=ScanOptions())
        with pytest.raises(ShapeMismatch, match="lookup tables"):
            search.nearest(asked)
        with pytest.raises(InvalidSetting, match="kind scan"):
            open_code_search(kind, codes, build_arrays(kind, codes), device="cuda")
        with pytest.raises(SearchCancelled):
            search.nearest(
                NearestQuestion(
                    queries=codes[:1], ids=np.arange(50), k=1, below=None, options=ScanOptions(cancelled=lambda: True)
                )
            )


def test_refuses_an_unknown_kind() -> None:
    codes = _codes(np.random.default_rng(3), 5, 8)
    for refused in (lambda: build_arrays("tree", codes), lambda: open_code_search("tree", codes, {})):
        with pytest.raises(InvalidSetting, match="'tree': expected one of scan, multi_index"):
            refused()
