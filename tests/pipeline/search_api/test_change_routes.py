"""Deletes and alias changes over HTTP are answered when the service has followed them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pipeline.errors import ConflictError
from pipeline.object_store.open_store import open_store
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.index_changes import ChangeResult, IndexChanges
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.search_api.running_service import RunningService, running_service
from tests.pipeline.shard_index.index_examples import Corpus, build_example, flip_byte, make_corpus

INDEX = "photos"


class Changes:
    """Two generations with disjoint ids; "deleting" points the alias at the second."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.first = make_corpus(40)
        self.second = Corpus(self.first.codes, self.first.ids + 1, self.first.labels)
        self.generations = [build_example(folder, corpus).generation for corpus in (self.first, self.second)]
        self.catalog = IndexCatalog(str(folder), open_store(str(folder)))
        self.catalog.point_alias(INDEX, "live", self.generations[0])

    def delete(self, index: str, ids: Sequence[int], keys: Sequence[str]) -> ChangeResult:
        if "locked" in keys:
            raise ConflictError("somebody else is at it")
        self.catalog.point_alias(index, "live", self.generations[1])
        return ChangeResult(
            index=index, generation=self.generations[1], num_deleted=len(ids), not_found=tuple(map(str, keys))
        )

    def calls(self) -> IndexChanges:
        return IndexChanges(
            delete=self.delete,
            set_alias=lambda *names: self.catalog.point_alias(*names).generation,
            rollback_alias=lambda *names: self.catalog.rollback_alias(*names).generation,
        )


@pytest.fixture
def changes(tmp_path: Path) -> Changes:
    return Changes(tmp_path)


@pytest.fixture
def running(changes: Changes) -> Iterator[RunningService]:
    # No refresh by itself within a test: what is followed is followed by the change.
    with running_service(str(changes.folder), INDEX, changes=changes.calls(), refresh_seconds=3600) as running:
        yield running


def _generation(running: RunningService) -> str:
    return str(running.post(f"/v1/indexes/{INDEX}/query", {"code": "0000", "k": 1}).json()["generation"])


def test_the_answer_to_a_delete_comes_after_the_change(changes: Changes, running: RunningService) -> None:
    assert _generation(running) == changes.generations[0]
    reply = running.post("/v1/deletes", {"index": INDEX, "ids": [str(changes.first.ids[0]), 7], "keys": ["x"]})
    assert reply.json() == {
        "index": INDEX,
        "generation": changes.generations[1],
        "num_deleted": 2,
        "not_found": ["x"],
    }
    assert _generation(running) == changes.generations[1]


def test_an_alias_is_set_and_rolled_back(changes: Changes, running: RunningService) -> None:
    second = changes.generations[1]
    assert running.post("/v1/aliases", {"index": INDEX, "alias": "live", "generation": second}).status == 200
    assert _generation(running) == second
    back = running.post("/v1/aliases", {"index": INDEX, "alias": "live", "rollback": True})
    assert back.json() == {"index": INDEX, "alias": "live", "generation": changes.generations[0]}
    assert _generation(running) == changes.generations[0]


def test_another_alias_leaves_answers_as_they_are(changes: Changes, running: RunningService) -> None:
    asked = {"index": INDEX, "alias": "next", "generation": changes.generations[1]}
    assert running.post("/v1/aliases", asked).json()["generation"] == changes.generations[1]
    assert _generation(running) == changes.generations[0]


def test_a_generation_that_does_not_open_is_said(changes: Changes, running: RunningService) -> None:
    shard = next((changes.folder / "indexes" / INDEX / changes.generations[1]).glob("*.codes*"), None)
    shard = shard or next(
        path for path in (changes.folder / "indexes" / INDEX / changes.generations[1]).rglob("*") if "code" in path.name
    )
    flip_byte(shard)
    reply = running.post("/v1/aliases", {"index": INDEX, "alias": "live", "generation": changes.generations[1]})
    assert reply.status == 503
    assert "goes on with" in reply.json()["detail"]
    assert _generation(running) == changes.generations[0]
    assert running.get(f"/v1/indexes/{INDEX}").json()["trouble"]


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/v1/deletes", {"index": INDEX}, 400),
        ("/v1/deletes", {"index": "other", "ids": [1]}, 404),
        ("/v1/deletes", {"index": INDEX, "keys": ["locked"]}, 409),
        ("/v1/deletes", {"index": INDEX, "ids": [-1]}, 400),
        ("/v1/aliases", {"index": INDEX, "alias": "live"}, 400),
        ("/v1/aliases", {"index": INDEX, "alias": "live", "generation": "g", "rollback": True}, 400),
        ("/v1/aliases", {"index": INDEX, "alias": "live", "generation": "g-nope"}, 404),
        ("/v1/aliases", {"index": INDEX, "alias": "../live", "rollback": True}, 400),
        ("/v1/aliases", {"index": INDEX, "alias": "never", "rollback": True}, 400),
    ],
)
def test_a_change_that_cannot_be_made(
    running: RunningService, path: str, asked: dict[str, object], status: int
) -> None:
    reply = running.post(path, asked)
    assert reply.status == status, reply.body
    assert reply.json()["detail"]


def test_a_service_without_changes_refuses_them(changes: Changes) -> None:
    with running_service(str(changes.folder), INDEX) as running:
        assert running.post("/v1/deletes", {"index": INDEX, "ids": [1]}).status == 403


def test_a_key_that_may_read_may_not_change(changes: Changes) -> None:
    keys, reader = ApiKeys().with_new("reader", "read")
    keys, writer = keys.with_new("writer", "write")
    asked = {"index": INDEX, "alias": "live", "generation": changes.generations[1]}
    with running_service(str(changes.folder), INDEX, keys=keys, changes=changes.calls()) as running:
        assert running.post("/v1/aliases", asked).status == 401
        assert running.post("/v1/aliases", asked, {"Authorization": f"Bearer {reader}"}).status == 403
        assert running.post("/v1/aliases", asked, {"Authorization": f"Bearer {writer}"}).status == 200
