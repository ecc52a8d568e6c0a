"""A small application on `HttpServer`, and clients of it on bare sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from pipeline.search_api.http_server import HttpServer, bind_listener
from pipeline.search_api.service_limits import ServiceLimits

QUICK = ServiceLimits(header_seconds=0.4, body_seconds=0.4, keep_alive_seconds=0.4, max_header_bytes=4096)
# A probe that sees nothing for so long has found no limit.
PATIENCE_SECONDS = 8.0
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
LARGE = 2**25


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers 200; /large answers `LARGE` bytes."""
    if scope["type"] == "lifespan":
        for name in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{name}.complete"})
        return
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
    body = bytes(LARGE) if scope["path"] == "/large" else b"here"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def running(server: uvicorn.Server) -> Iterator[tuple[str, int]]:
    """The address of a server that runs in a thread."""
    with bind_listener("127.0.0.1", 0) as listener:
        address = listener.getsockname()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            deadline = time.monotonic() + 20
            while not server.started:
                assert thread.is_alive()
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield address
        finally:
            server.should_exit = True
            thread.join(20)
    assert not thread.is_alive()


def limited(limits: ServiceLimits = QUICK) -> HttpServer:
    return HttpServer(app, limits, drain_seconds=0.5)


@contextmanager
def connected(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as client:
        yield client


def received_until_closed(client: socket.socket) -> bytes:
    """All that comes until the server closes. Raises `TimeoutError` when it does not."""
    received = b""
    while chunk := client.recv(2**16):
        received += chunk
    return received


def wait_until_served(address: tuple[str, int]) -> None:
    """The places of connections that are gone can be had again."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connected(address) as client:
            client.sendall(GET)
            if client.recv(2**16).startswith(b"HTTP/1.1 200 "):
                return
    pytest.fail("no connection is taken")
