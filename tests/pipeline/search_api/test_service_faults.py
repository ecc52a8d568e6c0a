"""Searchers that fail or hang, queues that are full, and what the log says of it all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.routing.searcher_port import SearcherPort
from pipeline.search_api.service_limits import ServiceLimits
from pipeline.search_api.structured_log import REQUESTS
from tests.pipeline.routing.port_examples import CALLS, fails, replace_calls
from tests.pipeline.search_api.running_service import RunningService, running_service, wait_until
from tests.pipeline.shard_index.index_examples import Corpus, build_example, make_corpus

QUERY = "/v1/indexes/photos/query"
CORPUS = make_corpus(90)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("catalog")
    build_example(folder, CORPUS, num_shards=3)
    return folder


@contextmanager
def _broken(
    running: RunningService, call: Callable[..., Future[Any]], numbers: tuple[int, ...], names: tuple[str, ...] = CALLS
) -> Iterator[list[SearcherPort]]:
    """The searchers of these numbers answer by `call` while the block runs."""
    (generation,) = running.ports
    ports = running.ports[generation]
    served = running.service.indexes["photos"].live._current
    assert served is not None
    searchers = served.session.router._searchers
    whole = dict(searchers)
    for number in numbers:
        searchers[ports[number].name] = replace_calls(ports[number], call, names)
    try:
        yield ports
    finally:
        searchers.update(whole)


@pytest.fixture
def running(folder: Path) -> Iterator[RunningService]:
    with running_service(str(folder), "photos") as running:
        yield running


def test_a_dead_shard_is_refused_or_flagged_and_comes_back(running: RunningService) -> None:
    asked = {"code": "0000", "k": 90}
    with _broken(running, fails, (1,)) as ports:
        refused = running.post(QUERY, asked)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert ports[1].shard_names[0] in refused.json()["detail"]
        partial = running.post(QUERY, {**asked, "allow_partial": True}).json()
        assert partial["degraded"]
        assert partial["failed_shards"] == list(ports[1].shard_names)
        assert partial["rows_searched"] == len(partial["hits"]) < len(CORPUS)
        assert partial["coverage"] == pytest.approx(partial["rows_searched"] / len(CORPUS))
        assert not partial["ties"]["complete"]
        wait_until(lambda: running.get("/readyz").status == 503, "the service says that it is not ready")
        assert ports[1].shard_names[0] in running.get("/readyz").json()["indexes"][0]["reasons"][0]
        assert running.get("/healthz").status == 200
    wait_until(lambda: running.get("/readyz").status == 200, "the service is ready again")
    assert len(running.post(QUERY, asked).json()["hits"]) == len(CORPUS)


def test_all_shards_dead_is_no_empty_answer(running: RunningService) -> None:
    with _broken(running, fails, (0, 1, 2)):
        assert running.post(QUERY, {"code": "0000", "allow_partial": True}).status == 503


def test_a_request_that_takes_too_long_is_given_up(folder: Path) -> None:
    asked: list[Future[Any]] = []

    def hangs(*_: Any) -> Future[Any]:
        asked.append(Future())
        return asked[-1]

    limits = ServiceLimits(request_seconds=0.5)
    with (
        running_service(str(folder), "photos", limits=limits) as running,
        _broken(running, hangs, (0, 1, 2), ("codes_of",)),
    ):
        reply = running.post(QUERY, {"id": str(CORPUS.ids[0])})
    # The thread that still waits for it would hold up the end of the tests.
    asked[0].set_exception(OSError("its process died"))
    assert (reply.status, reply.json()["title"]) == (504, "Gateway Timeout")
    assert "0.5 s" in reply.json()["detail"]


def test_a_full_queue_turns_callers_away_at_once(folder: Path) -> None:
    limits = ServiceLimits(max_waiting=1)
    gate = threading.Event()
    with running_service(str(folder), "photos", limits=limits) as running, ThreadPoolExecutor(16) as clients:

        def waits(*_: Any) -> Future[Any]:
            gate.wait(20)
            return fails()

        with _broken(running, waits, (0, 1, 2), ("codes_of",)):
            asked = [clients.submit(running.post, QUERY, {"id": str(CORPUS.ids[0])}) for _ in range(12)]
            wait_until(lambda: sum(each.done() for each in asked) >= 7, "callers beyond the queue are turned away")
            turned_away = [each.result() for each in asked if each.done()]
            assert {reply.status for reply in turned_away} == {503}
            assert {reply.headers["retry-after"] for reply in turned_away} == {"1"}
            gate.set()
            assert all(each.result().status == 503 for each in asked)
        assert running.post(QUERY, {"id": str(CORPUS.ids[0])}).status == 200


def test_the_log_has_one_line_per_request_and_nothing_of_the_caller(
    running: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, REQUESTS)
    secret = "s3cret"
    running.post(f"{QUERY}?{secret}", {"key": secret}, {"X-Request-Id": "job-7", "User-Agent": secret})
    running.get(f"/{secret}", {"X-Request-Id": f"{secret} x"})
    # The line is written after the answer is sent.
    wait_until(lambda: len([r for r in caplog.records if r.name == REQUESTS]) >= 2, "both lines are written")
    lines = [vars(record)["request"] for record in caplog.records if record.name == REQUESTS]
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/v1/indexes/{name}/query", 404),
        ("unmatched", 404),
    ]
    assert lines[0]["request_id"] == "job-7"
    assert secret not in caplog.text


def test_an_unforeseen_failure_keeps_its_text_to_the_log(
    running: RunningService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(running.service, "query", breaks)
    reply = running.post(QUERY, {"code": "0000"}, {"X-Request-Id": "job-8"})
    assert (reply.status, reply.json()["request_id"]) == (500, "job-8")
    assert "/secret/path" not in reply.body.decode()
    assert "request job-8 failed: RuntimeError" in caplog.text


def test_another_generation_answers_when_the_alias_moves(tmp_path: Path) -> None:
    build_example(tmp_path, make_corpus(20))
    with running_service(str(tmp_path), "photos") as running:
        first = running.get("/v1/indexes/photos").json()["generation"]
        second = build_example(tmp_path, Corpus(CORPUS.codes, CORPUS.ids, CORPUS.labels)).generation
        wait_until(
            lambda: running.post(QUERY, {"code": "0000"}).json()["generation"] == second, "the service has followed"
        )
        assert first != second
