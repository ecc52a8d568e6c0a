"""The Ray shell: errors keep their type, and a cluster that is too small is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.actors.searcher_actor import actor_port, start_searchers, stop_searchers
from pipeline.errors import SearchError, UnknownName, UsageError
from pipeline.shard_index.search_scope import EVERYTHING, ColumnCondition, SearchScope
from pipeline.shard_index.shard_searcher import SearcherSpec, ShardSearcher
from tests.oracles import same_answer
from tests.pipeline.shard_index.index_examples import build_example, make_corpus, make_queries

pytestmark = pytest.mark.usefixtures("local_ray")
CORPUS = make_corpus(20)


@pytest.fixture
def spec(tmp_path: Path) -> SearcherSpec:
    manifest = build_example(tmp_path, CORPUS, num_shards=2)
    names = tuple(shard.name for shard in manifest.shards)
    return SearcherSpec(catalog=str(tmp_path), index="photos", generation=manifest.generation, shard_names=names)


def test_every_call_is_that_of_the_searcher(spec: SearcherSpec) -> None:
    plain = ShardSearcher.open(spec)
    actors = start_searchers([spec], deadline_seconds=60)
    port = actor_port("searcher 0", spec.shard_names, actors["searcher 0"])
    queries = make_queries(3)
    assert same_answer(port.search(queries, 5, EVERYTHING).result(60), plain.search(queries, 5))
    assert port.payload(CORPUS.ids[3:6]).result(60) == plain.payload(CORPUS.ids[3:6])
    assert np.array_equal(port.codes_of(CORPUS.ids[3:6]).result(60).packed, CORPUS.codes.packed[3:6])
    assert port.ids_of_key(CORPUS.key(2)).result(60) == [CORPUS.ids[2]]
    with pytest.raises(UsageError, match=r"^condition nope=1: no column 'nope'"):
        port.search(queries, 5, SearchScope(where=(ColumnCondition.parse("nope=1"),))).result(60)
    stop_searchers(actors)
    with pytest.raises(SearchError, match=r"^its process died$"):
        port.search(queries, 5, EVERYTHING).result(60)


def test_open_errors_keep_their_type_and_stop_the_actors(spec: SearcherSpec) -> None:
    unknown = SearcherSpec(catalog=spec.catalog, index="photos", generation="20990101", shard_names=spec.shard_names)
    with pytest.raises(UnknownName, match="no generation named"):
        start_searchers([unknown], deadline_seconds=60)
    # The one CPU of this Ray is free again: the next searcher starts.
    stop_searchers(start_searchers([spec], deadline_seconds=60))


def test_too_few_cpus_are_said(spec: SearcherSpec) -> None:
    with pytest.raises(SearchError, match=r"[1-3] of 3 searchers did not start within 3 s; each needs one CPU"):
        start_searchers([spec, spec, spec], deadline_seconds=3)
