"""Who comes in: keys, host names, and what a refusal says."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.host_gate import is_loopback
from tests.pipeline.search_api.running_service import RunningService, running_service
from tests.pipeline.shard_index.index_examples import build_example, make_corpus

INDEX_PATHS = ("/v1/indexes", "/v1/indexes/photos", "/v1/indexes/photos/items/1", "/metrics", "/openapi.json")
OTHER_PATHS = (
    "/indices-list",
    "/nowhere",
    "/v1/indexes/photos/items/1/thumbnail",
    "//healthz",
    "/healthz/",
    "/HEALTHZ",
)


@dataclass(frozen=True)
class Locked:
    running: RunningService
    key: str


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("catalog")
    build_example(folder, make_corpus(30))
    keys, _ = ApiKeys().with_new("first", "write")
    keys, key = keys.with_new("second", "read")
    with running_service(str(folder), "photos", keys=keys) as running:
        yield Locked(running, key)


@pytest.mark.parametrize("path", [*INDEX_PATHS, *OTHER_PATHS])
def test_nothing_of_an_index_without_a_key(locked: Locked, path: str) -> None:
    reply = locked.running.get(path)
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert "photos" not in reply.body.decode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/version", "/"])
def test_health_and_the_page_need_no_key(locked: Locked, path: str) -> None:
    assert locked.running.get(path).status == 200


@pytest.mark.parametrize("path", INDEX_PATHS[:2])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_with_a_key_they_answer(locked: Locked, path: str, scheme: str) -> None:
    assert locked.running.get(path, {"Authorization": f"{scheme} {locked.key}"}).status == 200


@pytest.mark.parametrize("wrong", ["Bearer ", "Bearer bq_no", "Basic KEY", "KEY", "Bearer KEYx", "Bearer \xe9"])
def test_a_wrong_key_is_refused_and_not_repeated(locked: Locked, wrong: str) -> None:
    reply = locked.running.get("/v1/indexes", {"Authorization": wrong.replace("KEY", locked.key)})
    assert reply.status == 401
    assert locked.key not in reply.body.decode()


def test_two_authorization_headers_are_refused(locked: Locked) -> None:
    header = f"Authorization: Bearer {locked.key}\r\n"
    assert _status(locked.running, f"Host: localhost\r\n{header}{header}") == 401


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("127.0.0.1:80", True),
        ("127.8.0.1", True),
        ("[::1]:8000", True),
        ("[::1]", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
        ("0.0.0.0", False),
        ("localhost:80:80", False),
        ("localhost:x", False),
        ("evil@localhost", False),
        ("", False),
    ],
)
def test_loopback_names(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_service_without_keys_wants_one_host_header(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("catalog")
    build_example(folder, make_corpus(30))
    with running_service(str(folder), "photos") as running:
        assert _status(running, "Host: localhost\r\n") == 200
        assert _status(running, "Host: evil.example\r\n") == 403
        assert _status(running, "Host: localhost\r\nHost: evil.example\r\n") in (400, 403)
        assert _status(running, "", version="1.0") in (400, 403)


def test_no_other_origin_is_invited(locked: Locked) -> None:
    headers = {"Authorization": f"Bearer {locked.key}", "Origin": "https://evil.example"}
    assert not [
        name for name in locked.running.get("/v1/indexes", headers).headers if name.startswith("access-control")
    ]


def _status(running: RunningService, headers: str, version: str = "1.1") -> int:
    parts = urlsplit(running.url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=20) as connection:
        connection.sendall(f"GET /v1/indexes HTTP/{version}\r\n{headers}\r\n".encode())
        return int(connection.recv(65536).split()[1])
