"""Fan-out and merge equal the flat answer; lost searchers are named and never waited for beyond the deadline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from operators.search.hamming_flat import search_flat
from pipeline.errors import SearchError, UsageError
from pipeline.routing.query_router import QueryRouter
from pipeline.routing.searcher_port import SearcherPort
from pipeline.shard_index.index_manifest import IndexManifest
from tests.oracles import rankings_of, same_answer
from tests.pipeline.routing.port_examples import fails, hangs, make_router, open_ports, replace_calls
from tests.pipeline.shard_index.index_examples import build_example, make_corpus, make_queries

CORPUS = make_corpus(40)


@pytest.fixture
def manifest(tmp_path: Path) -> IndexManifest:
    return build_example(tmp_path, CORPUS, num_shards=4)


@pytest.fixture
def ports(tmp_path: Path, manifest: IndexManifest) -> Iterator[list[SearcherPort]]:
    with ThreadPoolExecutor(2) as executor:
        yield open_ports(tmp_path, manifest, executor)


@pytest.fixture
def router(manifest: IndexManifest, ports: list[SearcherPort]) -> QueryRouter:
    return make_router(manifest, ports)


@pytest.mark.parametrize("k", [1, 10, 40, 100])
def test_ranks_like_one_flat_search(router: QueryRouter, k: int) -> None:
    queries = make_queries(5)
    answer = router.rank(queries, k=k)
    assert same_answer(answer.ranked, search_flat(CORPUS.codes, CORPUS.ids, queries, k=k))
    assert (answer.coverage.ratio, answer.coverage.degraded, answer.failures) == (1.0, False, {})


def test_search_says_what_the_neighbours_are(router: QueryRouter, manifest: IndexManifest) -> None:
    queries = make_queries(3)
    answer = router.search(queries, k=7)
    assert (answer.index, answer.generation, answer.model_id) == ("photos", manifest.generation, "itq12@1")
    assert (answer.num_bits, answer.k) == (12, 7)
    assert set(answer.timings_seconds) == {"search", "payload"}
    for query, ranking in enumerate(rankings_of(search_flat(CORPUS.codes, CORPUS.ids, queries, k=7))):
        found = answer.neighbors[query]
        assert [(neighbor.distance, neighbor.id) for neighbor in found] == ranking
        assert [neighbor.rank for neighbor in found] == list(range(1, 8))
        for neighbor in found:
            row = int(np.flatnonzero(CORPUS.ids == neighbor.id)[0])
            assert (neighbor.key, neighbor.uri) == (CORPUS.key(row), f"/data/{CORPUS.key(row)}")
            assert neighbor.payload == {"label": CORPUS.labels[row]}


def test_k_beyond_the_index_gives_every_item(router: QueryRouter) -> None:
    assert len(router.search(make_queries(1), k=16_384).neighbors[0]) == 40


def test_no_queries(router: QueryRouter) -> None:
    assert router.search(make_queries(0), k=3).neighbors == ()


def test_excludes_an_item_and_still_gives_k(router: QueryRouter) -> None:
    item = int(CORPUS.ids[11])
    answer = router.search(router.code_of(item), k=5, exclude_id=item)
    everything = router.search(CORPUS.codes[slice(11, 12)], k=6).neighbors[0]
    expected = [neighbor.id for neighbor in everything if neighbor.id != item][:5]
    assert [neighbor.id for neighbor in answer.neighbors[0]] == expected
    assert [neighbor.rank for neighbor in answer.neighbors[0]] == [1, 2, 3, 4, 5]


def test_items_by_id_and_key(router: QueryRouter) -> None:
    for row in (0, 9, 10, 39):
        assert router.id_of_key(CORPUS.key(row)) == CORPUS.ids[row]
        assert np.array_equal(router.code_of(int(CORPUS.ids[row])).packed[0], CORPUS.codes.packed[row])
    rows = np.array([39, 0, 20, 0])
    assert router.payload_of(CORPUS.ids[rows]).column("key").to_pylist() == [CORPUS.key(row) for row in rows]


@pytest.mark.parametrize("item", [0, int(CORPUS.ids[5]) + 1, int(CORPUS.ids[-1]) + 1, 2**63 - 1])
def test_unknown_ids_are_named(router: QueryRouter, item: int) -> None:
    with pytest.raises(UsageError, match=f"no item with id {item}"):
        router.code_of(item)


def test_unknown_and_ambiguous_keys(router: QueryRouter, manifest: IndexManifest, ports: list[SearcherPort]) -> None:
    with pytest.raises(UsageError, match="index photos holds no item with key 'nope'"):
        router.id_of_key("nope")
    both = [replace_calls(port, lambda key: ports[0].ids_of_key(CORPUS.key(0)), ("ids_of_key",)) for port in ports]
    with pytest.raises(UsageError, match=rf"4 items of index photos have key .* ask by id: {CORPUS.ids[0]}"):
        make_router(manifest, both).id_of_key("twice")


@pytest.mark.parametrize(
    ("call", "reason"), [(fails, "OSError: its process died"), (hangs, r"no answer within 0.\d+ s")]
)
class TestLostSearcher:
    """Shard 1 of 4 (rows 10 to 19) does not answer."""

    @pytest.fixture
    def lossy(self, manifest: IndexManifest, ports: list[SearcherPort], call: object, reason: str) -> QueryRouter:
        lost = [replace_calls(port, call) if number == 1 else port for number, port in enumerate(ports)]  # type: ignore[arg-type]
        return make_router(manifest, lost, deadline_seconds=0.4 if call is hangs else 20.0)

    def test_is_an_error_that_names_the_shard(self, lossy: QueryRouter, reason: str) -> None:
        expected = rf"index photos, generation .*: 1 of 4 shards did not answer: shard-00001-of-00004 \({reason}\)"
        with pytest.raises(SearchError, match=expected):
            lossy.rank(make_queries(2), k=3)
        with pytest.raises(SearchError, match="shard-00001-of-00004"):
            lossy.search(make_queries(2), k=3)
        with pytest.raises(SearchError, match="shard-00001-of-00004"):
            lossy.id_of_key(CORPUS.key(0))
        with pytest.raises(SearchError, match="shard-00001-of-00004"):
            lossy.code_of(int(CORPUS.ids[12]))

    def test_coverage_says_what_is_missing_without_a_search(self, lossy: QueryRouter, reason: str) -> None:
        coverage = lossy.coverage(0.4)
        assert (coverage.rows_searched, coverage.rows_total) == (30, 40)
        assert coverage.failed_shards == ("shard-00001-of-00004",)

    def test_partial_answers_say_what_is_missing(self, lossy: QueryRouter, reason: str) -> None:
        queries = make_queries(2)
        answer = lossy.search(queries, k=50, allow_partial=True)
        coverage = answer.coverage
        assert (coverage.rows_searched, coverage.rows_total, coverage.degraded) == (30, 40, True)
        assert coverage.failed_shards == ("shard-00001-of-00004",)
        assert list(answer.failures) == ["shard-00001-of-00004"]
        assert re.fullmatch(reason, answer.failures["shard-00001-of-00004"])
        rest = np.r_[0:10, 20:40]
        expected = rankings_of(search_flat(CORPUS.codes[rest], CORPUS.ids[rest], queries, k=50))
        assert [[(n.distance, n.id) for n in found] for found in answer.neighbors] == expected


def test_coverage_asks_for_no_search(manifest: IndexManifest, ports: list[SearcherPort]) -> None:
    idle = [replace_calls(port, fails, ("search", "payload", "ids_of_key")) for port in ports]
    assert not make_router(manifest, idle).coverage(20.0).degraded


def test_all_lost_is_never_an_empty_answer(manifest: IndexManifest, ports: list[SearcherPort]) -> None:
    router = make_router(manifest, [replace_calls(port, fails) for port in ports])
    with pytest.raises(SearchError, match="4 of 4 shards did not answer"):
        router.search(make_queries(1), k=3, allow_partial=True)


def test_a_searcher_lost_between_ranking_and_payload(manifest: IndexManifest, ports: list[SearcherPort]) -> None:
    lost = [replace_calls(port, fails, ("payload",)) if number == 1 else port for number, port in enumerate(ports)]
    router = make_router(manifest, lost)
    with pytest.raises(SearchError, match="shard-00001-of-00004"):
        router.search(make_queries(1), k=40)
    answer = router.search(make_queries(1), k=40, allow_partial=True)
    assert len(answer.neighbors[0]) == 40
    assert sum(neighbor.key == "" for neighbor in answer.neighbors[0]) == 10
    assert answer.coverage.failed_shards == ("shard-00001-of-00004",)


@pytest.mark.parametrize("k", [0, 16_385, True])
def test_refuses_k_and_width_before_asking_anybody(manifest: IndexManifest, ports: list[SearcherPort], k: int) -> None:
    router = make_router(manifest, [replace_calls(port, fails) for port in ports])
    with pytest.raises(UsageError, match="k = "):
        router.search(make_queries(1), k=k)
    with pytest.raises(UsageError, match="16 bits, codes of index photos 12 bits"):
        router.rank(make_queries(1, num_bits=16), k=3)


def test_refuses_searchers_that_do_not_cover_the_index(manifest: IndexManifest, ports: list[SearcherPort]) -> None:
    for wrong in (ports[:3], [*ports, replace(ports[0], name="again")]):
        with pytest.raises(ValueError, match="expected each of 4 shards once"):
            make_router(manifest, wrong)
    with pytest.raises(UsageError, match="deadline_seconds = 0"):
        make_router(manifest, ports, deadline_seconds=0)
