"""Bodies over raw sockets: too long, of the wrong type, compressed, or never complete."""

from __future__ import annotations

import gzip
import json
import resource
import select
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from pipeline.search_api.service_limits import ServiceLimits
from tests.pipeline.search_api.running_service import RunningService, ask, running_service, wait_until
from tests.pipeline.shard_index.index_examples import build_example, make_corpus

LIMIT = 2**20
QUERY = "/v1/indexes/photos/query"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("catalog")
    build_example(folder, make_corpus(30))
    limits = ServiceLimits(
        max_body_bytes=LIMIT, max_bodies_bytes=2 * LIMIT, max_k=50, max_batch=4, max_answer_hits=100, retry_seconds=3
    )
    with running_service(str(folder), "photos", limits=limits) as running:
        yield running


def _connect(running: RunningService) -> socket.socket:
    parts = urlsplit(running.url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=20)


def _head(*lines: str) -> bytes:
    head = (f"POST {QUERY} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines)
    return "\r\n".join(head).encode() + b"\r\n\r\n"


def _answer(connection: socket.socket) -> bytes:
    """Up to the end of the head."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            break
        received += part
    return received


def test_a_body_that_says_it_is_too_long_is_refused_unread(running: RunningService) -> None:
    with _connect(running) as connection:
        connection.sendall(_head(f"Content-Length: {64 * 2**20}"))
        assert _answer(connection).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_length_is_refused_at_the_limit(running: RunningService) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with _connect(running) as connection:
        connection.sendall(_head("Transfer-Encoding: chunked"))
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        for _ in range(LIMIT // 65536 + 1):
            connection.sendall(chunk)
        assert _answer(connection).startswith(b"HTTP/1.1 413 ")
        # What is sent after the answer is not kept.
        for _ in range(1024):
            try:
                connection.sendall(chunk)
            except OSError:
                break
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_all_bodies_together_have_a_limit(running: RunningService) -> None:
    held = [_connect(running) for _ in range(3)]
    try:
        for connection in held:
            connection.sendall(_head(f"Content-Length: {LIMIT}") + b" " * (LIMIT - 1))
        answered, _, _ = select.select(held, [], [], 20)
        refusal = _answer(answered[0])
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 3" in refusal.lower()
        # The others are still waited for.
        assert not select.select([connection for connection in held if connection is not answered[0]], [], [], 0)[0]
    finally:
        for connection in held:
            connection.close()
    # What they held is free again.
    wait_until(lambda: _large_query(running) == 200, "a large body is taken again")


def _large_query(running: RunningService) -> int:
    body = json.dumps({"code": "0000"}).encode().ljust(LIMIT)
    return running.send(QUERY, body).status


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"])
def test_only_json_is_taken_as_json(running: RunningService, media_type: str) -> None:
    reply = running.send(QUERY, b'{"code": "0000"}', media_type)
    assert reply.status == 415
    assert reply.headers["accept"] == "application/json"
    assert "expected application/json" in reply.json()["detail"]


def test_only_pictures_are_taken_as_pictures(running: RunningService) -> None:
    assert running.send(f"{QUERY}/image", b"{}", "application/json").status == 415
    assert running.send(QUERY, b'{"code": "0000"}', "application/json; charset=utf-8").status == 200


def test_a_compressed_body_is_refused(running: RunningService) -> None:
    bomb = gzip.compress(b" " * 2**24)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert ask(running.url, "POST", QUERY, bomb, headers).status == 415


def test_limits_of_k_and_of_a_batch_are_named(running: RunningService) -> None:
    reply = running.post(QUERY, {"code": "0000", "k": 51})
    assert (reply.status, reply.json()["detail"]) == (400, "k = 51: expected at most 50")
    reply = running.post(f"{QUERY}/batch", {"queries": [{"code": "0000"}] * 5})
    assert (reply.status, reply.json()["detail"]) == (400, "queries = 5: expected at most 4")
    reply = running.post(f"{QUERY}/batch", {"queries": [{"code": "0000"}] * 3, "k": 34})
    assert (reply.status, reply.json()["detail"]) == (400, "k x queries = 102: expected at most 100")
    everything = running.post(QUERY, {"code": "0000", "k": 50}).json()
    assert len(everything["hits"]) == 30
    assert everything["ties"]["complete"]


@pytest.mark.parametrize(
    "query",
    ["k=0", "k=ten", "k=5.0", "k=1&k=2", "radius=-1", "ties=first", "limit=5", "allow_partial=1", "where=label", "k="],
)
def test_a_query_string_is_as_strict_as_a_body(running: RunningService, query: str) -> None:
    reply = running.send(f"{QUERY}/image?{query}", b"no picture", "image/png")
    assert reply.status == 400
    assert query.partition("=")[0] in reply.json()["detail"] or "condition" in reply.json()["detail"]


@pytest.mark.parametrize(
    "asked",
    [{}, {"code": "0000", "id": 1}, {"code": "00"}, {"code": "zzzz"}, {"code": "//8="}, {"code": "000f"}, {"code": ""}],
)
def test_a_query_that_is_none(running: RunningService, asked: dict[str, object]) -> None:
    assert running.post(QUERY, asked).status == 400
