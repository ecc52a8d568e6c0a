"""The limits of connections, on real sockets. Each probe is also pointed at plain uvicorn, where it must fail."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest
import uvicorn

from pipeline.errors import UsageError
from pipeline.search_api import limited_protocol as module
from pipeline.search_api.http_server import address_of, allow_files, bind_listener, is_on_loopback
from tests.pipeline.search_api.limited_server import (
    GET,
    LARGE,
    PATIENCE_SECONDS,
    POST,
    QUICK,
    app,
    connected,
    limited,
    received_until_closed,
    running,
    wait_until_served,
)


def plain() -> uvicorn.Server:
    config = uvicorn.Config(app, log_level="error", timeout_keep_alive=3600, timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


def dribble_headers(address: tuple[str, int]) -> bytes:
    """One header line after another, for ever: each of them shows that the client lives."""
    with connected(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        return _dribble(client, b"x-more: 1\r\n")


def dribble_body(address: tuple[str, int]) -> bytes:
    with connected(address) as client:
        client.sendall(POST)
        return _dribble(client, b"x")


def say_nothing(address: tuple[str, int]) -> bytes:
    with connected(address) as client:
        return received_until_closed(client)


def keep_alive(address: tuple[str, int]) -> bytes:
    with connected(address) as client:
        client.sendall(GET)
        return received_until_closed(client)


def blank_lines_while_kept(address: tuple[str, int]) -> bytes:
    with connected(address) as client:
        client.sendall(GET)
        return _dribble(client, b"\r\n", expects=b"here")


def _dribble(client: socket.socket, piece: bytes, expects: bytes = b"") -> bytes:
    """Send `piece` again and again (after `expects` has come) until the server closes."""
    received = b""
    deadline = time.monotonic() + PATIENCE_SECONDS / 4
    client.settimeout(0.05)
    while time.monotonic() < deadline:
        try:
            chunk = client.recv(2**16)
            received += chunk
            if not chunk:
                return received
        except TimeoutError:
            with suppress(ConnectionError):
                if expects in received:
                    client.sendall(piece)
        except ConnectionError:
            return received
    raise TimeoutError


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        (dribble_headers, b"HTTP/1.1 408 "),
        (dribble_body, b"HTTP/1.1 408 "),
        (say_nothing, b""),
        (keep_alive, b"HTTP/1.1 200 "),
        (blank_lines_while_kept, b"HTTP/1.1 200 "),
    ],
)
def test_slow_clients_are_closed_and_others_served(probe: Callable[[tuple[str, int]], bytes], answer: bytes) -> None:
    with running(limited()) as address:
        ended: list[bytes] = []
        slow = threading.Thread(target=lambda: ended.append(probe(address)))
        slow.start()
        num_served = 0
        while slow.is_alive() or num_served == 0:
            with connected(address) as client:
                client.sendall(GET)
                assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")
                num_served += 1
        slow.join()
        assert ended
        assert ended[0].startswith(answer)
        assert bool(ended[0]) == bool(answer)


@pytest.mark.parametrize("probe", [dribble_headers, dribble_body, blank_lines_while_kept])
def test_the_probes_find_no_limits_in_plain_uvicorn(probe: Callable[[tuple[str, int]], bytes]) -> None:
    with running(plain()) as address, pytest.raises(TimeoutError):
        probe(address)


def test_one_connection_too_many_is_refused_at_once() -> None:
    with running(limited(replace(QUICK, max_connections=2, header_seconds=60, retry_seconds=7))) as address:
        with connected(address) as first, connected(address) as second:
            for client in (first, second):
                client.sendall(GET)
                assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")
            for _ in range(3):
                with connected(address) as third:
                    third.sendall(GET)
                    head, _, body = received_until_closed(third).partition(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 503 ")
                    assert b"Retry-After: 7" in head
                    assert json.loads(body)["detail"].startswith("2 connections are open")
            first.sendall(GET)
            assert first.recv(2**16).startswith(b"HTTP/1.1 200 ")
        wait_until_served(address)


@pytest.mark.parametrize("is_kept", [False, True])
@pytest.mark.parametrize("num_pieces", [1, 2, 20])
@pytest.mark.parametrize(("num_bytes", "status"), [(3900, b"200"), (4200, b"431")])
def test_headers_have_a_size(is_kept: bool, num_pieces: int, num_bytes: int, status: bytes) -> None:
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * num_bytes + b"\r\n\r\n"
    with running(limited(replace(QUICK, header_seconds=60))) as address, connected(address) as client:
        if is_kept:
            client.sendall(GET)
            assert client.recv(2**16).startswith(b"HTTP/1.1 200 ")
        size = -(-len(request) // num_pieces)
        for start in range(0, len(request), size):
            client.sendall(request[start : start + size])
            time.sleep(0.002)
        assert client.recv(2**16).startswith(b"HTTP/1.1 " + status)


def test_a_header_without_end_is_refused() -> None:
    with running(limited(replace(QUICK, header_seconds=60))) as address, connected(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nx: ")
        assert b" 431 " in _dribble(client, b"y" * 500)


def test_requests_that_are_sent_together_are_answered_in_order() -> None:
    with running(limited()) as address, connected(address) as client:
        client.sendall(GET * 3 + POST + b"x" * 100 + GET)
        assert received_until_closed(client).count(b"HTTP/1.1 200 ") == 5


def test_what_is_no_http_is_refused() -> None:
    with running(limited()) as address, connected(address) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        head, _, body = received_until_closed(client).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in head
        assert json.loads(body)["detail"] == "not a request of HTTP/1.1"


def test_a_client_that_reads_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.3)
    server = limited()
    with running(server) as address, connected(address) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        deadline = time.monotonic() + 10
        while not server.server_state.total_requests or server.server_state.connections:
            assert time.monotonic() < deadline, "the connection is held"
            time.sleep(0.02)
        with suppress(ConnectionError):
            assert len(received_until_closed(client)) < LARGE


def test_addresses() -> None:
    with bind_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        assert is_on_loopback(listener)
        with pytest.raises(UsageError, match=rf"^serve\.port {port}: in use on 127\.0\.0\.1; stop what"):
            bind_listener("127.0.0.1", port)
    with bind_listener("0.0.0.0", 0) as listener:
        assert not is_on_loopback(listener)
    with pytest.raises(UsageError, match=r"^serve\.host 'no\.such\.host\.invalid': no address"):
        bind_listener("no.such.host.invalid", 0)
    with pytest.raises(UsageError, match=r"^serve\.host '192\.0\.2\.1', serve\.port 0: "):
        bind_listener("192.0.2.1", 0)


def test_too_few_files_are_said() -> None:
    with pytest.raises(UsageError, match=r"files, the service needs 1,000,000,000: set serve\.limits\.max_connections"):
        allow_files(10**9)
