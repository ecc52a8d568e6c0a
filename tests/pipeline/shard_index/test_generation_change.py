"""A generation made of changes answers like one that was built of the rows that are left, bit for bit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.quantization.lookup_tables import LookupTables
from operators.search.block_scan import rank_nearest
from operators.search.hamming_flat import search_flat
from operators.search.scan_options import ONE_THREAD
from operators.search.search_queries import scan_of
from pipeline.errors import ConflictError, UnknownItem
from pipeline.routing.local_searchers import local_ports
from pipeline.routing.query_router import QueryRouter
from pipeline.shard_index.generation_change import GenerationChange, change_generation
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from pipeline.shard_index.search_scope import ColumnCondition, SearchScope
from pipeline.shard_index.shard_placement import place_shards
from pipeline.shard_index.shard_searcher import SearcherSpec
from pipeline.shard_index.shard_shelf import ShardShelf
from tests.oracles import rankings_of, same_answer
from tests.pipeline.shard_index.changed_examples import Growth, fetcher_of, grow, rows_table
from tests.pipeline.shard_index.index_examples import build_example, make_corpus, make_queries

NUM_ROWS = 40
CORPUS = make_corpus(NUM_ROWS)
QUERIES = make_queries(4)


@st.composite
def growths(draw: st.DrawFn) -> Growth:
    part = draw(st.lists(st.integers(0, 3), min_size=NUM_ROWS, max_size=NUM_ROWS).filter(lambda part: 0 in part))
    dead = draw(st.lists(st.booleans(), min_size=NUM_ROWS, max_size=NUM_ROWS))
    return Growth(part=part, dead=dead, num_shards=draw(st.integers(1, 3)))


def open_router(
    catalog: Path, manifest: IndexManifest, num_searchers: int, executor: ThreadPoolExecutor
) -> QueryRouter:
    shelf = ShardShelf()
    searchers = [
        shelf.searcher(
            SearcherSpec(catalog=str(catalog), index="photos", generation=manifest.generation, shard_names=names)
        )
        for names in place_shards(manifest.shards, num_searchers)
    ]
    return QueryRouter(manifest, local_ports(searchers, executor), deadline_seconds=20)


@settings(max_examples=40, deadline=None)
@given(
    growth=growths(),
    k=st.integers(1, 60),
    radius=st.one_of(st.none(), st.integers(0, 12)),
    where=st.sampled_from([None, "label=class 1"]),
    num_searchers=st.integers(1, 3),
)
def test_any_growth_answers_like_the_rows_that_are_left(
    tmp_path_factory: pytest.TempPathFactory,
    growth: Growth,
    k: int,
    radius: int | None,
    where: str | None,
    num_searchers: int,
) -> None:
    catalog = tmp_path_factory.mktemp("catalog")
    manifest = grow(catalog, CORPUS, growth)
    rows = growth.living
    if where:
        rows = rows[[CORPUS.labels[row] == "class 1" for row in rows]]
    scope = SearchScope(radius=radius, where=(ColumnCondition.parse(where),) if where else ())
    expected: list[Any] = [[] for _ in range(len(QUERIES))]
    if len(rows):
        expected = rankings_of(search_flat(CORPUS.codes[rows], CORPUS.ids[rows], QUERIES, k=NUM_ROWS))
    expected = [[pair for pair in ranking if radius is None or pair[0] <= radius][:k] for ranking in expected]
    with ThreadPoolExecutor(2) as executor:
        answer = open_router(catalog, manifest, num_searchers, executor).search(QUERIES, k=k, scope=scope)
    assert [[(found.distance, found.id) for found in row] for row in answer.neighbors] == expected
    for found in answer.neighbors[0]:
        assert found.key == CORPUS.key(int(np.flatnonzero(CORPUS.ids == found.id)[0]))
    assert (answer.coverage.rows_searched, answer.coverage.rows_total) == (len(growth.living),) * 2


@pytest.mark.parametrize("k", [1, 3])
def test_an_added_row_wins_a_tie_by_its_lower_id(tmp_path: Path, k: int) -> None:
    """One query at a time: the bound that a delta shard is searched with is that of this query."""
    growth = Growth(part=[1] * 20 + [0] * 20, dead=[False] * NUM_ROWS, num_shards=1)
    manifest = grow(tmp_path, CORPUS, growth)
    num_ties = 0
    with ThreadPoolExecutor(1) as executor:
        router = open_router(tmp_path, manifest, 1, executor)
        for row in range(NUM_ROWS):
            query = CORPUS.codes[row : row + 1]
            expected = search_flat(CORPUS.codes, CORPUS.ids, query, k=k)
            assert same_answer(router.rank(query, k=k).ranked, expected)
            of_build = search_flat(CORPUS.codes[20:], CORPUS.ids[20:], query, k=k)
            num_ties += int(
                of_build.distances[0, -1] == expected.distances[0, -1] and of_build.ids[0, -1] != expected.ids[0, -1]
            )
    assert num_ties > 0, "no tie was decided by an id: the test showed nothing"


@settings(max_examples=15, deadline=None)
@given(growth=growths(), num_searchers=st.integers(1, 3))
def test_items_are_found_by_id_and_key_unless_deleted(
    tmp_path_factory: pytest.TempPathFactory, growth: Growth, num_searchers: int
) -> None:
    catalog = tmp_path_factory.mktemp("catalog")
    manifest = grow(catalog, CORPUS, growth)
    with ThreadPoolExecutor(2) as executor:
        router = open_router(catalog, manifest, num_searchers, executor)
        living = growth.living
        if len(living):
            rows = np.random.default_rng(1).permutation(living)
            assert router.payload_of(CORPUS.ids[rows]).column("key").to_pylist() == [CORPUS.key(row) for row in rows]
        for row in range(NUM_ROWS):
            item = int(CORPUS.ids[row])
            if growth.dead[row]:
                with pytest.raises(UnknownItem, match=f"index photos holds no item with id {item}"):
                    router.code_of(item)
                with pytest.raises(UnknownItem, match=f"index photos holds no item with id {item}"):
                    router.payload_of(CORPUS.ids[[row]])
                with pytest.raises(UnknownItem, match="no item with key"):
                    router.id_of_key(CORPUS.key(row))
            else:
                assert np.array_equal(router.code_of(item).packed[0], CORPUS.codes.packed[row])
                assert router.id_of_key(CORPUS.key(row)) == item


@pytest.mark.parametrize("kind", ["multi_index", "binary_ivf", "binary_hnsw"])
@pytest.mark.parametrize("scanned_rows", [0, 1000], ids=["deltas of the kind", "deltas scanned"])
def test_every_kind_of_search_leaves_deleted_rows_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, scanned_rows: int
) -> None:
    monkeypatch.setattr("pipeline.shard_index.generation_change.SCANNED_ROWS", scanned_rows)
    corpus, queries = make_corpus(600, num_bits=32, seed=3), make_queries(6, num_bits=32)
    rng = np.random.default_rng(5)
    growth = Growth(
        part=rng.choice(3, 600, p=[0.6, 0.2, 0.2]).tolist(), dead=(rng.random(600) < 0.3).tolist(), search_kind=kind
    )
    manifest = grow(tmp_path, corpus, growth)
    assert [shard.search_kind for shard in manifest.shards if shard.is_delta] == [
        None if not scanned_rows else "scan"
    ] * 2
    with ThreadPoolExecutor(2) as executor:
        ranked = open_router(tmp_path, manifest, 2, executor).rank(queries, k=10).ranked
    living = set(corpus.ids[growth.living].tolist())
    assert all(item in living for ranking in rankings_of(ranked) for _, item in ranking)
    exact = search_flat(corpus.codes[growth.living], corpus.ids[growth.living], queries, k=10)
    if kind == "multi_index":
        assert same_answer(ranked, exact)
    else:
        assert ranked.counts.tolist() == [10] * 6
        own = [int(corpus.ids[row]) for row in growth.living[:20]]
        with ThreadPoolExecutor(2) as executor:
            router = open_router(tmp_path, manifest, 1, executor)
            itself = router.rank(corpus.codes[growth.living[:20]], k=60).ranked
        found = sum(item in [hit for _, hit in row] for item, row in zip(own, rankings_of(itself), strict=True))
        assert found >= 18


@pytest.mark.parametrize("where", [None, "label=class 1"])
def test_quantized_codes(tmp_path: Path, where: str | None) -> None:
    corpus = make_corpus(200, num_bits=32, seed=3)
    tables = LookupTables(np.random.default_rng(4).random((5, 4, 256), np.float32))
    rng = np.random.default_rng(5)
    part, dead = rng.choice(3, 200).tolist(), (rng.random(200) < 0.3).tolist()
    manifest = grow(tmp_path, corpus, Growth(part=part, dead=dead, code_kind="quantized"))
    rows = np.flatnonzero(~np.array(dead))
    if where:
        rows = rows[[corpus.labels[row] == "class 1" for row in rows]]
    scope = SearchScope(where=(ColumnCondition.parse(where),) if where else ())
    with ThreadPoolExecutor(2) as executor:
        ranked = open_router(tmp_path, manifest, 2, executor).rank(tables, k=12, scope=scope).ranked
    scan = scan_of(corpus.codes[rows], tables, ONE_THREAD)
    assert same_answer(ranked, rank_nearest(scan, corpus.ids[rows], k=12))


def test_files_of_older_generations_are_shared(tmp_path: Path) -> None:
    old = build_example(tmp_path, make_corpus(30))
    fetcher = fetcher_of(tmp_path)
    new = change_generation(fetcher, old, GenerationChange(table_version=4, deleted=make_corpus(30).ids[[3, 25]]))
    home = tmp_path / "indexes" / "photos" / new.generation
    assert sorted(path.name for path in home.iterdir()) == ["MANIFEST.json", "deleted.npy"]
    assert (new.num_rows, new.num_deleted, [shard.num_deleted for shard in new.shards]) == (28, 2, [1, 0, 1])
    assert {shard.home for shard in new.shards} == {old.generation}
    assert IndexCatalog(str(tmp_path), fetcher.store).manifest("photos", new.generation) == new
    assert (old.num_rows, old.table_version, old.model_id) == (30, new.table_version, new.model_id)
    newer = change_generation(fetcher, new, GenerationChange(table_version=4, deleted=make_corpus(30).ids[[3, 4]]))
    assert np.load(tmp_path / "indexes" / "photos" / newer.generation / "deleted.npy").tolist() == (
        make_corpus(30).ids[[3, 4, 25]].tolist()
    )


def test_no_difference_makes_no_generation(tmp_path: Path) -> None:
    corpus = make_corpus(30)
    old = build_example(tmp_path, corpus)
    fetcher = fetcher_of(tmp_path)
    gone = change_generation(fetcher, old, GenerationChange(table_version=4, deleted=corpus.ids[[3]]))
    for change in (
        GenerationChange(table_version=4),
        GenerationChange(table_version=4, deleted=corpus.ids[[3]]),
        GenerationChange(table_version=4, deleted=np.array([1, 2**62])),
    ):
        assert change_generation(fetcher, gone, change) == gone
    assert len(list((tmp_path / "indexes" / "photos").iterdir())) == 2
    later = change_generation(fetcher, gone, GenerationChange(table_version=5))
    assert (later.table_version, later.num_rows, later.num_deleted) == (5, 29, 1)


def test_an_id_that_is_there_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    corpus = make_corpus(30)
    old = build_example(tmp_path, corpus)
    fetcher = fetcher_of(tmp_path)
    gone = change_generation(fetcher, old, GenerationChange(table_version=4, deleted=corpus.ids[[3]]))
    again = rows_table(corpus, np.array([3]))
    with pytest.raises(ConflictError, match=rf"rows of 1 of the new ids already \({corpus.ids[3]}\).*build it again"):
        change_generation(fetcher, gone, GenerationChange(table_version=5, num_added=1, added=[again]))
    assert len(list((tmp_path / "indexes" / "photos").iterdir())) == 2


def test_many_added_rows_make_several_delta_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.shard_index.generation_change.DELTA_SHARD_ROWS", 8)
    growth = Growth(part=[row % 2 for row in range(NUM_ROWS)], dead=[False] * NUM_ROWS)
    manifest = grow(tmp_path, CORPUS, growth)
    deltas = [shard for shard in manifest.shards if shard.is_delta]
    assert [(shard.name, shard.first_row, shard.num_rows) for shard in deltas] == [
        ("delta-00000", 20, 8),
        ("delta-00001", 28, 8),
        ("delta-00002", 36, 4),
    ]
    more = make_corpus(8, seed=9)
    more = replace(more, ids=more.ids + int(CORPUS.ids[-1]))
    change = GenerationChange(table_version=9, num_added=8, added=[more.table(slice(None))])
    assert change_generation(fetcher_of(tmp_path), manifest, change).shards[-1].name == "delta-00003"
