"""What the client does when the service is busy, gone, or another service."""

from __future__ import annotations

import json
import socket

import pytest

from pipeline.errors import ServiceRefused, ServiceUnreachable, UsageError
from pipeline.search_client.service_connection import ServiceConnection
from tests.pipeline.search_client.scripted_service import ScriptedAnswer, scripted_service

BUSY = ScriptedAnswer(
    status=503, body=json.dumps({"detail": "too busy", "request_id": "r1"}).encode(), headers={"Retry-After": "1"}
)
GOOD = ScriptedAnswer(body=b'{"good": true}')


def _connection(url: str, *, key: str | None = None, num_retries: int = 0) -> ServiceConnection:
    return ServiceConnection(url, key, timeout_seconds=5, num_retries=num_retries)


def test_questions_share_one_connection_and_carry_the_key() -> None:
    with scripted_service([GOOD]) as service:
        connection = _connection(service.url + "/behind/a/proxy/", key="bq_secret")
        for _ in range(3):
            assert connection.ask("POST", "/v1/compare", {"a": 1}) == {"good": True}
        connection.close()
    assert len(service.connections) == 1
    method, path, headers, body = service.requests[0]
    assert (method, path, body) == ("POST", "/behind/a/proxy/v1/compare", b'{"a": 1}')
    assert headers["Authorization"] == "Bearer bq_secret"
    assert headers["Content-Type"] == "application/json"


def test_a_kept_connection_that_the_service_closed_is_made_anew() -> None:
    with scripted_service([GOOD, ScriptedAnswer(hang_up=True), GOOD]) as service:
        connection = _connection(service.url)
        assert [connection.ask("GET", "/") for _ in range(2)] == [{"good": True}] * 2
        connection.close()
    assert len(service.connections) == 2


def test_a_new_connection_that_is_closed_is_not_tried_twice() -> None:
    with (
        scripted_service([ScriptedAnswer(hang_up=True)]) as service,
        pytest.raises(ServiceUnreachable, match=r"does not answer: .*closed"),
    ):
        _connection(service.url).ask("GET", "/")
    assert len(service.requests) == 1


def test_a_busy_service_is_asked_again_only_when_told_to() -> None:
    with scripted_service([BUSY, GOOD]) as service:
        with pytest.raises(ServiceRefused) as caught:
            _connection(service.url).ask("GET", "/")
        refused = caught.value
        assert (refused.status, refused.detail, refused.request_id, refused.retry_after_seconds) == (
            503,
            "too busy",
            "r1",
            1,
        )
    with scripted_service([BUSY, GOOD]) as service:
        assert _connection(service.url, num_retries=1).ask("GET", "/") == {"good": True}
    assert len(service.requests) == 2
    with scripted_service([BUSY]) as service, pytest.raises(ServiceRefused):
        _connection(service.url, num_retries=1).ask("GET", "/")
    assert len(service.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        ScriptedAnswer(status=503, body=b'{"detail": "shards are down"}'),
        ScriptedAnswer(status=500, body=BUSY.body, headers=BUSY.headers),
    ],
    ids=["without Retry-After", "another status"],
)
def test_other_failures_are_not_asked_again(answer: ScriptedAnswer) -> None:
    with scripted_service([answer, GOOD]) as service, pytest.raises(ServiceRefused):
        _connection(service.url, num_retries=3).ask("GET", "/")
    assert len(service.requests) == 1


def test_a_change_is_sent_once_over_a_connection_of_its_own() -> None:
    with scripted_service([GOOD, BUSY]) as service:
        connection = _connection(service.url, num_retries=3)
        connection.ask("GET", "/")
        with pytest.raises(ServiceRefused):
            connection.change("/v1/aliases", {"rollback": True})
        connection.close()
    assert (len(service.requests), len(service.connections)) == (2, 2)


def test_another_service_is_told_apart() -> None:
    with scripted_service([ScriptedAnswer(body=b"<html>"), ScriptedAnswer(body=b"[1]")]) as service:
        for _ in range(2):
            with pytest.raises(ServiceRefused, match="may be another service"):
                _connection(service.url).ask("GET", "/")


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServiceUnreachable, match=r"refused.*bitquarry serve"):
            _connection(url).ask("GET", "/")


def test_an_answer_that_does_not_come_ends_with_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceUnreachable, match="timed out"):
            ServiceConnection(url, None, timeout_seconds=0.2, num_retries=0).ask("GET", "/")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:port", "http://a?b=1"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        _connection(url)


@pytest.mark.parametrize("key", ["bq_a\nX-Injected: 1", "bq_ä", " bq_a", "two words\r"])
def test_what_can_be_no_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="API key") as caught:
        _connection("http://127.0.0.1:1", key=key)
    assert key.strip() not in str(caught.value)
