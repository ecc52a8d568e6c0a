"""Generations in actors: what is needed to open one, and who may close it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from operators.binary_codes import BinaryCodes
from pipeline.errors import SearchError, UnknownName
from pipeline.jobs import actor_generations as module
from pipeline.jobs.actor_generations import ActorGenerations
from pipeline.jobs.generation_opening import OpenedIndex
from pipeline.jobs.synthetic_index import write_synthetic_index
from pipeline.object_store.open_store import open_store
from pipeline.sample_corpus.clustered_codes import clustered_codes
from pipeline.settings import SearchSettings, ServeSettings
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.shard_searcher import SearcherSpec

pytestmark = pytest.mark.usefixtures("local_ray")
CODES = clustered_codes(300, 64, seed=1)


@contextmanager
def generations_of(catalog: Path, num_searchers: int = 1, num_replicas: int = 1) -> Iterator[ActorGenerations]:
    opened = OpenedIndex(str(catalog), "codes", SearchSettings(num_searchers=num_searchers), 10**6)
    generations = ActorGenerations(opened, ServeSettings(num_replicas=num_replicas, searcher_num_cpus=1))
    try:
        yield generations
    finally:
        generations.close()


def write(catalog: Path, codes: BinaryCodes = CODES, first_id: int = 0) -> str:
    return write_synthetic_index(str(catalog), "codes", codes, num_shards=2, first_id=first_id).generation


def test_a_generation_stays_open_while_a_session_has_it(tmp_path: Path) -> None:
    generation, other = write(tmp_path), write(tmp_path, first_id=1000)
    with generations_of(tmp_path, num_searchers=2) as generations, ExitStack() as last:
        with ExitStack() as first:
            generations.open(generation, first)
            session = generations.open(generation, last)
            generations.open(other, first)
        answer = session.query_codes(CODES[slice(7, 8)], k=1)
        assert answer.neighbors[0][0].distance == 0
        assert answer.neighbors[0][0].id < len(CODES)
        assert answer.generation == generation


def test_errors_of_opening_keep_their_type(tmp_path: Path) -> None:
    write(tmp_path)
    unknown = pytest.raises(UnknownName, match="no generation named 'codes/20990101'")
    with generations_of(tmp_path) as generations, ExitStack() as closing, unknown:
        generations.open("20990101", closing)


def test_too_few_cpus_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OPEN_SECONDS", 3.0)
    generation = write(tmp_path)
    refused = pytest.raises(SearchError, match=r"index codes: [1-3] of 3 searchers did not start within 3 s .* lower")
    with generations_of(tmp_path, num_replicas=3) as generations, ExitStack() as closing, refused:
        generations.open(generation, closing)


def test_a_new_generation_does_not_wait_for_a_dead_replica(tmp_path: Path) -> None:
    generation, other = write(tmp_path), write(tmp_path, first_id=1000)
    with generations_of(tmp_path, num_replicas=2) as generations, ExitStack() as closing:
        session = generations.open(generation, closing)
        victim = generations.places[0].call("open", spec_of(tmp_path, generation)).result(60)
        os.kill(victim, signal.SIGKILL)
        assert session.query_codes(CODES[slice(0, 1)], k=1).neighbors[0][0].distance == 0
        later = generations.open(other, closing)
        assert later.query_codes(CODES[slice(0, 1)], k=1).neighbors[0][0].id >= 1000


def spec_of(catalog: Path, generation: str) -> SearcherSpec:
    manifest = IndexCatalog(str(catalog), open_store(str(catalog))).manifest("codes", generation)
    names = tuple(shard.name for shard in manifest.shards)
    return SearcherSpec(catalog=str(catalog), index="codes", generation=generation, shard_names=names)
