"""Actors that outlive generations: they open what a call names, and others answer while one is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from pipeline.actors.replicated_port import Replicas, replicated_port
from pipeline.actors.serving_searcher import start_serving_searchers
from pipeline.errors import SearchError, UnknownName, UsageError
from pipeline.shard_index.search_scope import EVERYTHING, ColumnCondition, SearchScope
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from tests.oracles import same_answer
from tests.pipeline.shard_index.index_examples import build_example, make_corpus, make_queries
from tests.served_command import wait_until

pytestmark = pytest.mark.usefixtures("local_ray")
CORPUS = make_corpus(20)
OTHER = make_corpus(30, seed=9)


@pytest.fixture
def specs(tmp_path: Path) -> list[SearcherSpec]:
    """One place for all shards of each of two generations."""
    manifests = [build_example(tmp_path, corpus, num_shards=2) for corpus in (CORPUS, OTHER)]
    return [
        SearcherSpec(
            catalog=str(tmp_path),
            index="photos",
            generation=manifest.generation,
            shard_names=tuple(shard.name for shard in manifest.shards),
        )
        for manifest in manifests
    ]


@contextmanager
def running_replicas(num_replicas: int) -> Iterator[Replicas]:
    replicas = Replicas(start_serving_searchers(num_replicas, num_cpus=1))
    try:
        yield replicas
    finally:
        for actor in replicas.actors:
            ray.kill(actor)


def process_ids(replicas: Replicas, spec: SearcherSpec) -> list[int]:
    return [ray.get(actor.open.remote(spec), timeout=60) for actor in replicas.actors]


def test_one_actor_answers_for_every_generation(specs: list[SearcherSpec]) -> None:
    queries = make_queries(3)
    with running_replicas(1) as replicas:
        for spec, corpus in [*zip(specs, (CORPUS, OTHER), strict=True), (specs[0], CORPUS)]:
            plain = ShardSearcher.open(spec)
            port = replicated_port("searcher 0", spec, replicas)
            assert same_answer(port.search(queries, 5, EVERYTHING).result(60), plain.search(queries, 5))
            assert port.payload(corpus.ids[3:6]).result(60) == plain.payload(corpus.ids[3:6])
            assert port.codes_of(corpus.ids[3:6]).result(60).to_hex() == corpus.codes[slice(3, 6)].to_hex()
            assert port.ids_of_key(corpus.key(2)).result(60) == [corpus.ids[2]]
        ray.get(replicas.actors[0].forget.remote(specs[0]), timeout=60)
        again = replicated_port("searcher 0", specs[0], replicas).search(queries, 5, EVERYTHING).result(60)
        assert same_answer(again, ShardSearcher.open(specs[0]).search(queries, 5))


def test_errors_keep_their_type(specs: list[SearcherSpec]) -> None:
    with running_replicas(1) as replicas:
        scope = SearchScope(where=(ColumnCondition.parse("nope=1"),))
        with pytest.raises(UsageError, match=r"^condition nope=1: no column 'nope'"):
            replicated_port("searcher 0", specs[0], replicas).search(make_queries(1), 5, scope).result(60)
        unknown = replace(specs[0], generation="20990101")
        with pytest.raises(UnknownName, match="no generation named"):
            replicated_port("searcher 0", unknown, replicas).search(make_queries(1), 5, EVERYTHING).result(60)


def test_a_process_that_ray_starts_anew_opens_what_it_is_asked_for(specs: list[SearcherSpec]) -> None:
    queries, expected = make_queries(2), ShardSearcher.open(specs[0]).search(make_queries(2), 5)
    with running_replicas(1) as replicas:
        port = replicated_port("searcher 0", specs[0], replicas)
        (first,) = process_ids(replicas, specs[0])
        os.kill(first, signal.SIGKILL)
        with pytest.raises(SearchError, match=r"^its process died; Ray starts it anew$"):
            port.search(queries, 5, EVERYTHING).result(60)
        wait_until(lambda: _answers(lambda: port.search(queries, 5, EVERYTHING).result(60)), "it is back")
        assert same_answer(port.search(queries, 5, EVERYTHING).result(60), expected)
        assert process_ids(replicas, specs[0]) != [first]


def _answers(ask: Callable[[], object]) -> bool:
    with suppress(SearchError):
        ask()
        return True
    return False


def test_another_replica_answers_for_the_dead(specs: list[SearcherSpec]) -> None:
    queries, expected = make_queries(2), ShardSearcher.open(specs[0]).search(make_queries(2), 5)
    with running_replicas(2) as replicas:
        port = replicated_port("searcher 0", specs[0], replicas)
        processes = process_ids(replicas, specs[0])
        for victim in processes:
            under_way = [port.search(queries, 5, EVERYTHING) for _ in range(20)]
            os.kill(victim, signal.SIGKILL)
            later = [port.search(queries, 5, EVERYTHING) for _ in range(20)]
            for reply in [*under_way, *later]:
                assert same_answer(reply.result(60), expected)
            wait_until(lambda: _is_back(replicas, specs[0]), "both replicas are there")
        assert not set(process_ids(replicas, specs[0])) & set(processes)


def _is_back(replicas: Replicas, spec: SearcherSpec) -> bool:
    try:
        return bool(process_ids(replicas, spec))
    except ray.exceptions.RayActorError:
        return False


def test_calls_are_spread_over_the_replicas(specs: list[SearcherSpec]) -> None:
    with running_replicas(2) as replicas:
        first, second = process_ids(replicas, specs[0])
        calls = [replicas.call("open", specs[0]) for _ in range(10)]
        assert {call.result(60) for call in calls} == {first, second}
