"""The state that an index says it is in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.errors import StorageError
from pipeline.object_store.open_store import open_store
from pipeline.routing.live_index import LiveIndex
from pipeline.routing.search_session import SearchSession
from pipeline.routing.searcher_port import SearcherPort
from pipeline.search_api.served_index import IndexStatus, ServedIndex, ServedSettings, Staleness
from pipeline.shard_index.index_catalog import IndexCatalog
from pipeline.shard_index.index_manifest import IndexManifest
from tests.pipeline.routing.port_examples import fails, hangs, replace_calls
from tests.pipeline.search_api.running_service import open_session
from tests.pipeline.shard_index.index_examples import build_example, make_corpus


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IndexManifest]:
    folder = tmp_path_factory.mktemp("catalog")
    return folder, build_example(folder, make_corpus(60), num_shards=3)


def _status(
    built: tuple[Path, IndexManifest],
    *,
    staleness: Staleness = lambda _: 0.0,
    change: Callable[[dict[str, SearcherPort]], None] = lambda _: None,
    settings: ServedSettings,
) -> IndexStatus:
    """After one refresh of an index whose searchers `change` has changed."""
    folder, manifest = built
    catalog = IndexCatalog(str(folder), open_store(str(folder)))

    async def refreshed() -> IndexStatus:
        live = LiveIndex(
            lambda: manifest.generation, lambda _, closing: open_session(str(folder), manifest, closing, {})
        )
        served = ServedIndex("photos", "live", live, staleness, catalog=catalog, settings=settings)
        await live.refresh()
        async with live.using() as generation:
            change(generation.session.router._searchers)
        await served.refresh()
        await served.close()
        return served.status()

    return asyncio.run(refreshed())


def _break(call: Callable[..., object], *names: str) -> Callable[[dict[str, SearcherPort]], None]:
    def change(searchers: dict[str, SearcherPort]) -> None:
        for name in names:
            searchers[name] = replace_calls(searchers[name], call)  # type: ignore[arg-type]

    return change


QUICK = ServedSettings(max_staleness_seconds=60, probe_seconds=0.3)


def test_a_whole_and_fresh_index_is_ready(manifest: tuple[Path, IndexManifest]) -> None:
    status = _status(manifest, settings=QUICK)
    assert (status.ready, status.reasons, status.coverage, status.num_rows) == (True, (), 1.0, 60)
    assert (status.generation, status.table_version) == (manifest[1].generation, 4)


@pytest.mark.parametrize("call", [fails, hangs])
def test_a_shard_that_does_not_answer_is_named(
    manifest: tuple[Path, IndexManifest], call: Callable[..., object]
) -> None:
    status = _status(manifest, change=_break(call, "thread 1"), settings=QUICK)
    missing = manifest[1].shards[1]
    assert not status.ready
    assert status.failed_shards == (missing.name,)
    assert status.coverage == pytest.approx(1 - missing.num_rows / 60)
    assert missing.name in status.reasons[0]


def test_without_any_shard_nothing_is_covered(manifest: tuple[Path, IndexManifest]) -> None:
    status = _status(manifest, change=_break(fails, "thread 0", "thread 1", "thread 2"), settings=QUICK)
    assert (status.ready, status.coverage, len(status.failed_shards)) == (False, 0.0, 3)


@pytest.mark.parametrize(("age", "ready"), [(0.0, True), (60.0, True), (61.0, False), (None, True)])
def test_an_index_that_is_too_old_is_not_ready(
    manifest: tuple[Path, IndexManifest], age: float | None, ready: bool
) -> None:
    status = _status(manifest, staleness=lambda _: age, settings=QUICK)
    assert (status.ready, status.staleness_seconds) == (ready, age)
    assert ready or "60 s are allowed" in status.reasons[0]


def test_a_staleness_that_cannot_be_told_is_a_trouble(manifest: tuple[Path, IndexManifest]) -> None:
    def away(_: IndexManifest) -> float:
        raise StorageError("the store is away")

    status = _status(manifest, staleness=away, settings=QUICK)
    assert (status.ready, status.staleness_seconds) == (True, None)
    assert "the store is away" in status.trouble


def test_nothing_open_says_why(manifest: tuple[Path, IndexManifest]) -> None:
    folder, _ = manifest

    def away() -> str:
        raise StorageError("the store is away")

    async def refreshed() -> IndexStatus:
        live = LiveIndex(away, _never)
        catalog = IndexCatalog(str(folder), open_store(str(folder)))
        served = ServedIndex("photos", "live", live, lambda _: 0.0, catalog=catalog)
        await served.refresh()
        return served.status()

    status = asyncio.run(refreshed())
    assert (status.ready, status.generation, status.coverage) == (False, None, 0.0)
    assert "the store is away" in status.reasons[0]


def _never(_: str, __: ExitStack) -> SearchSession:
    raise AssertionError("there is no generation to open")
