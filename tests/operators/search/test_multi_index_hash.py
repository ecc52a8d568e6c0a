"""Multi-index hashing against distances of all pairs and a full sort."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.binary_codes import BinaryCodes
from operators.errors import InvalidSetting, SearchCancelled, ShapeMismatch
from operators.kernels.bucket_probing import probe_queries
from operators.ranked_neighbors import RankedNeighbors
from operators.search import multi_index_hash
from operators.search.allowed_rows import AllowedRows
from operators.search.hamming_flat import search_flat, search_radius
from operators.search.multi_index_hash import MultiIndexHash
from operators.search.probing_costs import ProbingCosts
from operators.search.scan_options import ScanOptions
from tests.oracles import Ranking, rankings_of, same_answer

ALWAYS_PROBE = ProbingCosts(scanned_word=math.inf, shared_word=math.inf)


def rank_by_sorting(index: MultiIndexHash, ids: np.ndarray, queries: BinaryCodes, allowed: np.ndarray) -> list[Ranking]:
    rankings = []
    for query in queries.packed:
        distances = np.bitwise_count(index.codes.packed ^ query).sum(axis=1, dtype=np.int64)
        pairs = zip(distances[allowed].tolist(), ids[allowed].tolist(), strict=True)
        rankings.append(sorted(pairs))
    return rankings


def clustered(rng: np.random.Generator, num_items: int, num_bits: int, num_flipped: float = 1.5) -> BinaryCodes:
    """A few centres with some bits flipped: repeated codes, ties and near ones."""
    centres = rng.random((4, num_bits)) < 0.5
    flipped = rng.random((num_items, num_bits)) < num_flipped / num_bits
    return BinaryCodes.from_bits(centres[rng.integers(0, 4, num_items)] ^ flipped)


def ascending_ids(rng: np.random.Generator, num_items: int) -> np.ndarray:
    return np.sort(rng.choice(2**40, num_items, replace=False).astype(np.int64))


def check_all(index: MultiIndexHash, ids: np.ndarray, queries: BinaryCodes, *, k: int, radii: Sequence[int]) -> None:
    everything = rank_by_sorting(index, ids, queries, np.ones(len(ids), bool))
    assert rankings_of(index.nearest(queries, ids, k=k)) == [ranking[:k] for ranking in everything]
    assert same_answer(index.nearest(queries, ids, k=k), search_flat(index.codes, ids, queries, k=k))
    for radius in radii:
        within = [[pair for pair in ranking if pair[0] <= radius] for ranking in everything]
        assert rankings_of(index.radius(queries, ids, radius=radius)) == within
        flat = search_radius(index.codes, ids, queries, radius=radius)
        assert same_answer(index.radius(queries, ids, radius=radius), flat)


@pytest.mark.parametrize("widths", [(64, 128), (32, 96), (8, 24, 72, 200)], ids=["8-byte", "4-byte", "1-byte words"])
@settings(max_examples=35, deadline=None)
@given(
    data=st.data(),
    num_codes=st.integers(0, 150),
    k=st.integers(1, 170),
    num_chunks=st.one_of(st.none(), st.integers(1, 60)),
    seed=st.integers(0, 2**32),
)
def test_probing_answers_as_a_sort_of_everything_does(
    widths: tuple[int, ...], data: st.DataObject, num_codes: int, k: int, num_chunks: int | None, seed: int
) -> None:
    num_bits = data.draw(st.sampled_from(widths))
    rng = np.random.default_rng(seed)
    # Chunks of 1 to 12 bits: all buckets can be looked into, where k asks for it.
    chosen = None if num_chunks is None else min(num_bits, max(num_chunks, -(-num_bits // 12)))
    index = MultiIndexHash.build(clustered(rng, num_codes, num_bits), num_chunks=chosen, costs=ALWAYS_PROBE)
    queries = clustered(np.random.default_rng(seed), 3, num_bits)
    check_all(index, ascending_ids(rng, num_codes), queries, k=k, radii=(0, 1, int(rng.integers(2, 7)), 20))
    assert not index.probe_nearest(queries, np.arange(num_codes), k=k).scanned.any()


@settings(max_examples=50, deadline=None)
@given(num_codes=st.integers(1, 120), share=st.sampled_from([0.0, 0.05, 0.5, 1.0]), seed=st.integers(0, 2**32))
def test_codes_that_are_not_allowed_never_answer(num_codes: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, ids = clustered(rng, num_codes, 64), ascending_ids(rng, num_codes)
    allowed = rng.random(num_codes) < share
    rows = AllowedRows.from_mask(allowed)
    queries, k = codes[: min(3, num_codes)], int(rng.integers(1, 30))
    grown = MultiIndexHash.build(codes[: num_codes // 2], costs=ALWAYS_PROBE).with_added(codes[num_codes // 2 :])
    for index in (MultiIndexHash.build(codes, costs=ALWAYS_PROBE), MultiIndexHash.build(codes), grown):
        everything = rank_by_sorting(index, ids, queries, allowed)
        answer = index.nearest(queries, ids, k=k, options=ScanOptions(allowed=rows))
        assert rankings_of(answer) == [ranking[:k] for ranking in everything]
        assert answer.k == k
        answer = index.radius(queries, ids, radius=4, options=ScanOptions(allowed=rows))
        assert rankings_of(answer) == [[pair for pair in ranking if pair[0] <= 4] for ranking in everything]


@settings(max_examples=40, deadline=None)
@given(below=st.integers(-1, 70), k=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_a_bound_leaves_out_what_is_not_nearer(below: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, ids = clustered(rng, 100, 64), ascending_ids(rng, 100)
    grown = MultiIndexHash.build(codes[:60], costs=ALWAYS_PROBE).with_added(codes[60:])
    for index in (MultiIndexHash.build(codes, costs=ALWAYS_PROBE), MultiIndexHash.build(codes), grown):
        everything = rank_by_sorting(index, ids, codes[:2], np.ones(100, bool))
        answer = index.nearest(codes[:2], ids, k=k, below=below)
        assert rankings_of(answer) == [[pair for pair in ranking if pair[0] < below][:k] for ranking in everything]
        assert answer.k == k


def test_few_codes_are_compared_and_those_that_repeat_only_once() -> None:
    rng = np.random.default_rng(3)
    packed = rng.integers(0, 256, (20_000, 8), dtype=np.uint8)
    packed[5_000:15_000] = packed[77]
    codes, ids = BinaryCodes(packed, 64), np.arange(20_000)
    index = MultiIndexHash.build(codes, costs=ALWAYS_PROBE)
    answer = index.probe_radius(codes[:50], ids, radius=6)
    assert same_answer(answer.neighbors, search_radius(codes, ids, codes[:50], radius=6))
    # Seven steps: 5 chunks of 13 bits, one bucket each, and then two chunks' 13 neighbouring buckets.
    assert set(answer.num_probes.tolist()) == {5 + 2 * 13}
    assert answer.num_candidates.max() < 300
    answer = index.probe_nearest(codes[77:78], ids, k=10_000)
    assert answer.num_probes[0] == 1
    assert answer.neighbors.ids[0].tolist() == [77, *range(5_000, 14_999)]


def test_the_last_of_k_tied_answers_have_the_lowest_ids() -> None:
    packed = np.zeros((300, 8), np.uint8)
    packed[:, 0] = np.tile([1, 2, 4], 100)
    index = MultiIndexHash.build(BinaryCodes(packed, 64), costs=ALWAYS_PROBE)
    answer = index.nearest(BinaryCodes(np.zeros((1, 8), np.uint8), 64), np.arange(300) * 2, k=7)
    assert rankings_of(answer) == [[(1, 2 * position) for position in range(7)]]


def test_scans_by_itself_where_that_is_cheaper() -> None:
    rng = np.random.default_rng(4)
    codes, ids = BinaryCodes(rng.integers(0, 256, (50_000, 8), dtype=np.uint8), 64), np.arange(50_000)
    far = BinaryCodes(~codes.packed[:1], 64)
    queries = BinaryCodes(np.concatenate([codes.packed[:1], far.packed]), 64)
    # A scan takes as long as 500 probes: enough for what is equal, not for what is 20 bits away.
    costs = ProbingCosts(probe=1e-7, candidate=1e-7, scanned_word=1e-9, shared_word=1e-9)
    index = MultiIndexHash.build(codes, costs=costs)
    answer = index.probe_nearest(queries, ids, k=1)
    assert answer.scanned.tolist() == [False, True]
    assert same_answer(answer.neighbors, search_flat(codes, ids, queries, k=1))
    assert answer.num_probes[1] * 1e-7 <= 50_000 * 1e-9
    answer = index.probe_radius(queries, ids, radius=30)
    assert answer.scanned.all()
    assert answer.num_probes.max() == 0  # foreseen
    assert same_answer(answer.neighbors, search_radius(codes, ids, queries, radius=30))


def test_predicts_what_a_radius_takes() -> None:
    packed = np.random.default_rng(11).integers(0, 256, (4_096, 8), dtype=np.uint8)
    costs = ProbingCosts(probe=1e-6, candidate=1e-5, scanned_word=1e-2, shared_word=1e-5)
    index = MultiIndexHash.build(BinaryCodes(packed, 64), num_chunks=8, costs=costs)
    # Chunks of 8 bits: 16 codes a bucket. Radius 9: two chunks to one flipped bit.
    assert index.predicted_seconds(9) == pytest.approx((8 + 2 * 8) * (1e-6 + 16 * 1e-5))
    answer = index.probe_radius(BinaryCodes(packed[:50], 64), np.arange(4_096), radius=9)
    assert set(answer.num_probes.tolist()) == {8 + 2 * 8}
    assert index.predicted_seconds(64, num_queries=50) == pytest.approx(4_096 * 1e-5)
    with pytest.raises(InvalidSetting, match="radius = -1"):
        index.predicted_seconds(-1)


def test_a_bucket_that_holds_almost_everything_ends_the_probing() -> None:
    packed = np.random.default_rng(5).integers(0, 256, (50_000, 8), dtype=np.uint8)
    packed[1:, :4] = 0
    codes, ids = BinaryCodes(packed, 64), np.arange(50_000)
    index = MultiIndexHash.build(codes, costs=ProbingCosts(probe=1e-9, candidate=1e-9, scanned_word=1e-10))
    answer = index.probe_nearest(codes[5:6], ids, k=5)
    assert answer.scanned.tolist() == [True]
    assert same_answer(answer.neighbors, search_flat(codes, ids, codes[5:6], k=5))


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 90), min_size=1, max_size=3), seed=st.integers(0, 2**32))
def test_added_codes_answer_as_if_the_tables_had_been_rebuilt(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes, ids = clustered(rng, 90, 64), ascending_ids(rng, 90)
    places = [*sorted(cuts), 90]
    index = MultiIndexHash.build(codes[: places[0]], costs=ALWAYS_PROBE)
    for start, end in itertools.pairwise(places):
        index = index.with_added(codes[start:end])
    assert index.tables.num_indexed == places[0]
    check_all(index, ids, clustered(rng, 3, 64), k=int(rng.integers(1, 100)), radii=(0, 3, 9))


def test_a_long_tail_is_taken_into_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_index_hash, "_TAIL_CODES", 10)
    codes = clustered(np.random.default_rng(6), 100, 64)
    index = MultiIndexHash.build(codes[:64])
    assert index.with_added(codes[64:74]).tables.num_indexed == 64
    assert index.with_added(codes[64:75]).tables.num_indexed == 75
    assert len(index.codes) == index.tables.num_indexed == 64


def test_saved_tables_are_mapped_and_answer_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    codes, ids = clustered(rng, 500, 64), ascending_ids(rng, 500)
    built = MultiIndexHash.build(codes[:480], costs=ALWAYS_PROBE)
    for name, array in {**built.arrays(), "codes": codes.packed}.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in built.arrays()}
    mapped_codes = BinaryCodes(np.load(tmp_path / "codes.npy", mmap_mode="r"), 64)
    index = MultiIndexHash.from_arrays(mapped_codes, mapped, costs=ALWAYS_PROBE)
    assert np.shares_memory(index.arrays()["bucket_items"], mapped["bucket_items"])
    check_all(index, ids, codes[:4], k=9, radii=(2,))


def test_threads_answer_the_same() -> None:
    rng = np.random.default_rng(8)
    codes, ids = clustered(rng, 2_000, 64), ascending_ids(rng, 2_000)
    for costs in (ALWAYS_PROBE, ProbingCosts()):
        index = MultiIndexHash.build(codes, costs=costs)
        alone = index.nearest(codes[:40], ids, k=20)
        with ThreadPoolExecutor(4) as pool:
            others = list(pool.map(lambda index: index.nearest(codes[:40], ids, k=20), [index] * 8))
        others += [index.nearest(codes[:40], ids, k=20, options=ScanOptions(num_threads=3))]
        assert all(same_answer(alone, other) for other in others)


def test_a_cancelled_search_ends() -> None:
    index = MultiIndexHash.build(clustered(np.random.default_rng(13), 100, 64), costs=ALWAYS_PROBE)
    answers = iter([False, True])
    options = ScanOptions(cancelled=lambda: next(answers))
    with pytest.raises(SearchCancelled):
        index.nearest(index.codes[np.zeros(300, np.intp)], np.arange(100), k=1, options=options)
    assert next(answers, None) is None


def test_a_warm_index_compiles_no_more() -> None:
    codes = clustered(np.random.default_rng(12), 100, 64)
    index = MultiIndexHash.build(codes)
    index.warm_up()
    num_compiled = len(probe_queries.signatures)  # type: ignore[attr-defined]
    mapped = codes.packed[:2].copy()
    mapped.flags.writeable = False
    allowed = AllowedRows.from_mask(np.ones(100, bool))
    index.nearest(BinaryCodes(mapped, 64), np.arange(100), k=3, options=ScanOptions(allowed=allowed))
    index.radius(codes[:2], np.arange(100), radius=3)
    assert len(probe_queries.signatures) == num_compiled > 0  # type: ignore[attr-defined]


def test_no_queries_have_no_answers() -> None:
    codes = clustered(np.random.default_rng(9), 20, 64)
    index = MultiIndexHash.build(codes)
    assert same_answer(index.nearest(codes[:0], np.arange(20), k=3), RankedNeighbors.empty(0, 3))
    assert same_answer(index.radius(codes[:0], np.arange(20), radius=3), RankedNeighbors.empty(0, 0))


@pytest.mark.parametrize(
    ("name", "place"), [("bucket_items", ...), ("bucket_offsets", slice(1, 256)), ("repeats", ...)]
)
def test_a_search_refuses_tables_that_point_outside(name: str, place: Any) -> None:
    codes = BinaryCodes(np.zeros((40, 8), np.uint8), 64)
    arrays = {key: array.copy() for key, array in MultiIndexHash.build(codes).arrays().items()}
    arrays[name][place] = 10**6
    index = MultiIndexHash.from_arrays(codes, arrays, costs=ALWAYS_PROBE)
    with pytest.raises(ShapeMismatch, match="multi-index tables: got positions out of range"):
        index.nearest(BinaryCodes(np.ones((1, 8), np.uint8), 64), np.arange(40), k=40)


def test_refuses_bad_arguments_by_name() -> None:
    codes, ids = clustered(np.random.default_rng(10), 20, 64), np.arange(20)
    index = MultiIndexHash.build(codes)
    for k in (0, -1, 1.5, True):
        with pytest.raises(InvalidSetting, match="k = "):
            index.nearest(codes, ids, k=k)  # type: ignore[arg-type]
    for radius in (-1, 0.5, True):
        with pytest.raises(InvalidSetting, match="radius = "):
            index.radius(codes, ids, radius=radius)  # type: ignore[arg-type]
    other = clustered(np.random.default_rng(1), 2, 72)
    with pytest.raises(ShapeMismatch, match="query codes: got 72 bits, expected 64 bits"):
        index.nearest(other, ids, k=1)
    with pytest.raises(ShapeMismatch, match=r"num_bits: got \[64, 72\]"):
        index.with_added(other)
    with pytest.raises(ShapeMismatch, match=r"ids: got int64 \(19,\), expected int64 \(20,\)"):
        index.nearest(codes, ids[:19], k=1)
    with pytest.raises(ShapeMismatch, match="ids: got int32"):
        index.radius(codes, ids.astype(np.int32), radius=1)
    with pytest.raises(ShapeMismatch, match="allowed rows: got of 3 rows, expected of 20 codes"):
        index.nearest(codes, ids, k=1, options=ScanOptions(allowed=AllowedRows.from_mask(np.ones(3, bool))))


def test_of_many_queries_the_first_few_show_that_a_scan_is_cheaper() -> None:
    rng = np.random.default_rng(5)
    codes = BinaryCodes.from_bits(rng.random((400, 64)) < 0.5)
    ids, queries = ascending_ids(rng, 400), codes[slice(0, 40)]
    dear = ProbingCosts(probe=1e-7, candidate=1e-7, scanned_word=2e-8, shared_word=2e-8)
    answer = MultiIndexHash.build(codes, costs=dear).probe_nearest(queries, ids, k=50)
    assert answer.scanned.all()
    assert (answer.num_probes[:4] > 0).all()
    assert (answer.num_probes[4:] == 0).all()
    assert same_answer(answer.neighbors, search_flat(codes, ids, queries, k=50))


@pytest.mark.parametrize("num_queries", [15, 16, 40])
def test_many_queries_are_answered_as_few_are(num_queries: int) -> None:
    """Some probed, some scanned for: the first few decide for others only where all of them cost too much."""
    rng = np.random.default_rng(6)
    near, far = clustered(rng, 300, 64), BinaryCodes.from_bits(rng.random((40, 64)) < 0.5)
    ids = ascending_ids(rng, 300)
    rows = np.arange(num_queries)
    mixed = BinaryCodes(np.where((rows % 5 == 0)[:, None], far.packed[rows], near.packed[rows]), 64)
    index = MultiIndexHash.build(near, costs=ProbingCosts(scanned_word=5e-8, shared_word=5e-8))
    answer = index.probe_nearest(mixed, ids, k=2)
    assert answer.scanned.any()
    assert not answer.scanned.all()
    assert same_answer(answer.neighbors, search_flat(near, ids, mixed, k=2))
