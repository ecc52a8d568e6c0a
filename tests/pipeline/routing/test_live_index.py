"""Following an alias under queries: one generation per query, none closed while it is used, no bad one let in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.errors import CorruptFile, PipelineError, StorageError
from pipeline.routing.live_index import LiveIndex
from pipeline.routing.query_batcher import QueryTerms
from pipeline.routing.query_encoder import QueryEncoder
from pipeline.routing.search_session import SearchSession
from pipeline.shard_index.index_manifest import IndexManifest
from tests.pipeline.routing.port_examples import make_router, open_ports
from tests.pipeline.shard_index.index_examples import Corpus, build_example, make_corpus, make_queries


class Catalog:
    """Two generations with disjoint ids; an alias; and a list of what was closed."""

    def __init__(self, folder: Path) -> None:
        first = make_corpus(40)
        second = Corpus(first.codes, first.ids + 1, first.labels)
        self.folder = folder
        self.manifests = {m.generation: m for m in (build_example(folder, first), build_example(folder, second))}
        self.names = list(self.manifests)
        self.ids = dict(zip(self.names, (set(first.ids.tolist()), set(second.ids.tolist())), strict=True))
        self.alias = self.names[0]
        self.closed: list[str] = []

    def follow(self) -> str:
        if not self.alias:
            raise StorageError("the store is away")
        return self.alias

    def open(self, generation: str, closing: ExitStack) -> SearchSession:
        if generation not in self.manifests:
            raise CorruptFile(generation, "it is damaged", "build it again")
        executor = closing.enter_context(ThreadPoolExecutor(2))
        closing.callback(self.closed.append, generation)
        manifest: IndexManifest = self.manifests[generation]
        return SearchSession(make_router(manifest, open_ports(self.folder, manifest, executor)), _no_encoder)


def _no_encoder() -> QueryEncoder:
    raise AssertionError("codes need no model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalog")


def _run(folder: Path, test: Callable[[Catalog, LiveIndex], Awaitable[None]]) -> Catalog:
    catalog = Catalog(folder)

    async def whole() -> None:
        live = LiveIndex(catalog.follow, catalog.open)
        await test(catalog, live)
        await live.close()
        assert live.generation is None

    asyncio.run(asyncio.wait_for(whole(), 60))
    return catalog


async def _ask(live: LiveIndex) -> tuple[str, set[int]]:
    async with live.using() as served:
        answer = await served.batcher.ask(make_queries(1), k=5, terms=QueryTerms())
        assert answer.generation == served.name
        return served.name, {neighbor.id for neighbor in answer.neighbors[0]}


def test_every_answer_comes_from_one_generation_while_the_alias_moves(folder: Path) -> None:
    async def test(catalog: Catalog, live: LiveIndex) -> None:
        assert await live.refresh()
        answers: list[tuple[str, set[int]]] = []

        async def keep_asking() -> None:
            answers.extend([await _ask(live) for _ in range(30)])

        askers = [asyncio.create_task(keep_asking()) for _ in range(4)]
        for turn in range(20):
            catalog.alias = catalog.names[(turn + 1) % 2]
            assert await live.refresh()
            assert live.generation == catalog.alias
        await asyncio.gather(*askers)
        assert len(answers) == 120
        assert all(found <= catalog.ids[generation] and len(found) == 5 for generation, found in answers)

    catalog = _run(folder, test)
    assert len(catalog.closed) == 21


def test_a_generation_in_use_closes_with_its_last_query(folder: Path) -> None:
    async def test(catalog: Catalog, live: LiveIndex) -> None:
        await live.refresh()
        async with live.using() as served:
            catalog.alias = catalog.names[1]
            assert await live.refresh()
            assert (served.name, live.generation, catalog.closed) == (catalog.names[0], catalog.names[1], [])
            answer = await served.batcher.ask(make_queries(1), k=5, terms=QueryTerms(with_payload=False))
            assert {neighbor.id for neighbor in answer.neighbors[0]} <= catalog.ids[catalog.names[0]]
        assert catalog.closed == [catalog.names[0]]

    catalog = _run(folder, test)
    assert catalog.closed == catalog.names


@pytest.mark.parametrize("broken", ["no such generation", ""])
def test_a_bad_one_never_replaces_a_good_one(folder: Path, broken: str) -> None:
    async def test(catalog: Catalog, live: LiveIndex) -> None:
        await live.refresh()
        catalog.alias = broken
        assert not await live.refresh()
        assert live.generation == catalog.names[0]
        assert live.trouble.startswith("CorruptFile" if broken else "StorageError")
        assert (await _ask(live))[0] == catalog.names[0]
        catalog.alias = catalog.names[0]
        assert not await live.refresh()
        assert live.trouble == ""

    _run(folder, test)


def test_nothing_open_is_said(folder: Path) -> None:
    async def test(catalog: Catalog, live: LiveIndex) -> None:
        with pytest.raises(PipelineError, match="no generation is open: not opened yet"):
            await _ask(live)
        await live.refresh()
        await live.close()
        with pytest.raises(PipelineError, match="closed"):
            await _ask(live)

    _run(folder, test)


def test_closing_waits_for_those_that_ask(folder: Path) -> None:
    async def test(catalog: Catalog, live: LiveIndex) -> None:
        await live.refresh()
        async with live.using():
            closing = asyncio.create_task(live.close())
            for _ in range(10):
                await asyncio.sleep(0)
            assert not closing.done()
            assert catalog.closed == []
        await closing
        assert len(catalog.closed) == 1

    _run(folder, test)
