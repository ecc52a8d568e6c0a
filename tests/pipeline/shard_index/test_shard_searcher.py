"""A searcher over some shards answers like a flat search over their rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.errors import SearchCancelled, ShapeMismatch
from operators.ranked_neighbors import RankedNeighbors
from operators.search import hamming_flat
from operators.search.hamming_flat import search_flat
from operators.search.merge_ranked import merge_ranked
from operators.search.search_kinds import CodeSearch, NearestQuestion, ScanSearch
from pipeline.errors import CorruptFile, UnknownName
from pipeline.object_store.open_store import open_store
from pipeline.shard_index import shard_searcher
from pipeline.shard_index.index_builder import build_generation
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.search_scope import ColumnCondition, SearchScope
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from tests.oracles import rankings_of, same_answer
from tests.pipeline.shard_index.index_examples import build_example, flip_byte, make_corpus, make_queries, plan_for


def open_searcher(catalog: Path, manifest: IndexManifest, shards: list[int], num_threads: int = 1) -> ShardSearcher:
    names = tuple(manifest.shards[number].name for number in shards)
    spec = SearcherSpec(
        catalog=str(catalog),
        index="photos",
        generation=manifest.generation,
        shard_names=names,
        num_threads=num_threads,
    )
    return ShardSearcher.open(spec)


@settings(max_examples=20, deadline=None)
@given(num_shards=st.integers(1, 6), k=st.integers(1, 60), owners=st.lists(st.integers(0, 1), min_size=6, max_size=6))
def test_any_placement_merges_to_the_flat_answer(
    tmp_path_factory: pytest.TempPathFactory, num_shards: int, k: int, owners: list[int]
) -> None:
    catalog = tmp_path_factory.mktemp("catalog")
    corpus, queries = make_corpus(40), make_queries(4)
    manifest = build_example(catalog, corpus, num_shards=num_shards)
    held = [[shard for shard in range(num_shards) if owners[shard] == owner] for owner in (0, 1)]
    searchers = [open_searcher(catalog, manifest, shards) for shards in held if shards]
    merged = merge_ranked([searcher.search(queries, k) for searcher in searchers], k=k)
    assert same_answer(merged, search_flat(corpus.codes, corpus.ids, queries, k=k))
    assert sum(searcher.num_rows for searcher in searchers) == 40


@settings(max_examples=20, deadline=None)
@given(
    k=st.integers(1, 60),
    radius=st.one_of(st.none(), st.integers(0, 12)),
    wanted=st.sampled_from(["label=class 1", "label != class 1", "label>class 2", "key<=pictures/25.png"]),
    num_threads=st.sampled_from([1, 3]),
)
def test_only_items_in_scope_answer(
    tmp_path_factory: pytest.TempPathFactory, k: int, radius: int | None, wanted: str, num_threads: int
) -> None:
    corpus, queries = make_corpus(40), make_queries(4)
    catalog = tmp_path_factory.mktemp("catalog")
    searcher = open_searcher(catalog, build_example(catalog, corpus), [0, 1, 2], num_threads)
    in_scope = {
        "label=class 1": [label == "class 1" for label in corpus.labels],
        "label != class 1": [label != "class 1" for label in corpus.labels],
        "label>class 2": [False] * 40,
        "key<=pictures/25.png": [corpus.key(row) <= "pictures/25.png" for row in range(40)],
    }
    rows = np.flatnonzero(in_scope[wanted])
    scope = SearchScope(radius=radius, where=(ColumnCondition.parse(wanted),))
    everything = rankings_of(search_flat(corpus.codes[rows], corpus.ids[rows], queries, k=40))
    expected = [[pair for pair in ranking if radius is None or pair[0] <= radius][:k] for ranking in everything]
    for _ in range(2):  # the second time with the rows that were kept
        assert rankings_of(searcher.search(queries, k, scope)) == expected


def test_later_shards_are_asked_for_nearer_items_only(tmp_path: Path) -> None:
    corpus, queries = make_corpus(60), make_queries(3)
    searcher = open_searcher(tmp_path, build_example(tmp_path, corpus), [2, 0, 1])
    asked: list[int | None] = []

    class Listening:
        def __init__(self, search: CodeSearch) -> None:
            self._search = search

        def nearest(self, question: NearestQuestion) -> RankedNeighbors:
            asked.append(question.below)
            return self._search.nearest(question)

        def warm_up(self) -> None:
            pass

        def audit(self) -> str | None:
            return None

    shards = [replace(shard, search=Listening(shard.search)) for shard in searcher._shards]
    everything = search_flat(corpus.codes, corpus.ids, queries, k=2)
    assert same_answer(ShardSearcher(shards).search(queries, 2), everything)
    first = search_flat(corpus.codes[:20], corpus.ids[:20], queries, k=2)
    assert asked[:2] == [None, int(first.distances[:, -1].max())]
    assert asked[2] is not None
    assert asked[2] <= int(first.distances[:, -1].max())


def test_a_searcher_warms_what_its_codes_are_asked_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(shard_searcher, "warm_up_tables", lambda num_bits: warmed.append(f"tables of {num_bits} bits"))
    monkeypatch.setattr(ScanSearch, "warm_up", lambda search: warmed.append(f"codes of {search.codes.num_bits} bits"))
    for code_kind in ("binary", "quantized"):
        catalog, corpus = str(tmp_path / code_kind), make_corpus(10)
        plan = replace(plan_for(catalog, corpus, num_shards=1), code_kind=code_kind)
        manifest = build_generation(open_store(catalog), plan, corpus.tables(10))
        open_searcher(Path(catalog), manifest, [0]).warm_up()
    assert warmed == [f"codes of {corpus.codes.num_bits} bits", f"tables of {corpus.codes.num_bits} bits"]


def test_a_stopped_searcher_does_not_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FEW_PAIRS", "_FEW_PAIRS_BEFORE_IMPORT"):
        monkeypatch.setattr(hamming_flat, name, -1)
    searcher = open_searcher(tmp_path, build_example(tmp_path, make_corpus(30)), [1])
    assert searcher.search(make_queries(1), 3).counts.tolist() == [3]
    searcher.stop()
    with pytest.raises(SearchCancelled):
        searcher.search(make_queries(1), 3)


def test_payload_codes_and_keys(tmp_path: Path) -> None:
    corpus = make_corpus(30)
    searcher = open_searcher(tmp_path, build_example(tmp_path, corpus), [0, 2])
    rows = np.array([29, 3, 20, 3, 0])
    assert searcher.payload(corpus.ids[rows]).column("key").to_pylist() == [corpus.key(row) for row in rows]
    assert np.array_equal(searcher.codes_of(corpus.ids[rows]).packed, corpus.codes.packed[rows])
    assert searcher.payload(corpus.ids[:0]).num_rows == len(searcher.codes_of(corpus.ids[:0])) == 0
    assert searcher.ids_of_key(corpus.key(22)) == [corpus.ids[22]]
    assert searcher.ids_of_key(corpus.key(12)) == []


def test_ids_of_other_shards_are_left_out(tmp_path: Path) -> None:
    corpus = make_corpus(30)
    searcher = open_searcher(tmp_path, build_example(tmp_path, corpus), [0, 2])
    asked = np.array([corpus.ids[29], corpus.ids[12], corpus.ids[0] + 1, corpus.ids[1], 2**62])
    assert searcher.payload(asked).select(["id", "key"]).to_pylist() == [
        {"id": corpus.ids[row], "key": corpus.key(row)} for row in (29, 1)
    ]
    assert np.array_equal(searcher.codes_of(asked).packed, corpus.codes.packed[[29, 1]])
    assert searcher.payload(asked[1:3]).num_rows == len(searcher.codes_of(asked[1:3])) == 0


def test_refuses_another_width(tmp_path: Path) -> None:
    searcher = open_searcher(tmp_path, build_example(tmp_path, make_corpus(30)), [1])
    with pytest.raises(ShapeMismatch, match="32 bits, expected 12 bits"):
        searcher.search(make_queries(1, num_bits=32), 3)


def test_open_refuses_damage_and_unknown_generations(tmp_path: Path) -> None:
    manifest = build_example(tmp_path, make_corpus(30))
    home = tmp_path / "indexes" / "photos" / manifest.generation
    flip_byte(home / manifest.shards[2].codes.name)
    with pytest.raises(CorruptFile, match="shard-00002-of-00003"):
        open_searcher(tmp_path, manifest, [0, 2])
    flip_byte(home / "MANIFEST.json", position=40)
    with pytest.raises(CorruptFile, match=r"MANIFEST\.json is corrupt"):
        open_searcher(tmp_path, manifest, [0])
    (home / "MANIFEST.json").unlink()
    with pytest.raises(UnknownName, match="no generation named"):
        open_searcher(tmp_path, manifest, [0])
    with pytest.raises(ValueError, match="at least one shard"):
        ShardSearcher([])
