"""An HTTP proxy before the S3 server that does to requests what networks and overloaded stores do, by plan.

Requests are counted per fault in the order of their arrival, so a plan means the same on every run of a
single-threaded client.
"""

from __future__ import annotations

import http.client
import random
import re
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, get_args
from urllib.parse import urlsplit

import pytest

from tests.s3_server import S3Server

Action = Literal["status", "lost_reply", "truncate_reply", "stall_reply", "reset"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What to do to requests `nth` … `nth + times - 1` (from 0) among those whose method and target match in full.

    status: answer `status` with `body`, or with an error of `code`, without forwarding.
    lost_reply: forward, then hang up without a word.
    truncate_reply: forward, announce the whole body, send half of it. stall_reply: the same, and then stay silent.
    reset: break the connection without forwarding. The target is path and query as sent.
    """

    action: Action
    method: str = ".*"
    target: str = ".*"
    nth: int = 0
    times: int = 1
    status: int = 503
    code: str = "SlowDown"
    body: bytes | None = None

    def matches(self, method: str, target: str) -> bool:
        return bool(re.fullmatch(self.method, method) and re.fullmatch(self.target, target, re.DOTALL))


def seeded_faults(seed: int, *, num_requests: int, rate: float) -> list[Fault]:
    """A random plan for the first `num_requests` requests, each hit with probability `rate`; no stalls."""
    generator = random.Random(seed)
    actions: list[Action] = [action for action in get_args(Action) if action != "stall_reply"]
    return [
        Fault(action=generator.choice(actions), nth=position)
        for position in range(num_requests)
        if generator.random() < rate
    ]


@dataclass
class FaultProxy:
    """Listens on `endpoint_url`, forwards to `upstream_url` until closed; `requests` are (method, target) in order."""

    upstream_url: str
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._plan: list[tuple[Fault, Iterator[int]]] = []
        self._lock = threading.Lock()
        self.stalled = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def plan(self, faults: Sequence[Fault]) -> None:
        """Replace the plan; counting starts again, and replies that stall are let go."""
        with self._lock:
            self.stalled.set()
            self.stalled = threading.Event()
            self._plan = [(fault, iter(range(2**62))) for fault in faults]
            self.requests.clear()

    def fault_for(self, method: str, target: str) -> Fault | None:
        """Count the request and say what to do to it; the first due fault of the plan wins."""
        due: Fault | None = None
        with self._lock:
            self.requests.append((method, target))
            for fault, counter in self._plan:
                if fault.matches(method, target):
                    position = next(counter)
                    if due is None and fault.nth <= position < fault.nth + fault.times:
                        due = fault
        return due

    def num_requests(self, method: str) -> int:
        with self._lock:
            return sum(sent == method for sent, _ in self.requests)

    def close(self) -> None:
        self.stalled.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="session")
def _session_proxy(s3_endpoint_url: str) -> Iterator[FaultProxy]:
    proxy = FaultProxy(s3_endpoint_url)
    yield proxy
    proxy.close()


@pytest.fixture
def fault_proxy(
    s3_server: S3Server, _session_proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultProxy]:
    """A proxy before `s3_server`; the environment leads to the proxy. Faultless until given a plan."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", _session_proxy.endpoint_url)
    _session_proxy.plan([])
    yield _session_proxy
    _session_proxy.plan([])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    proxy: FaultProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the game."""

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close at once; an orderly end first would hide the reset of `_reset`."""
        self.close_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_request_with_faults(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.proxy.fault_for(self.command, self.path)
        if fault is not None and fault.action == "reset":
            self._reset()
        elif fault is not None and fault.action == "status":
            answer = _error_body(fault.code) if fault.body is None else fault.body
            self._answer(fault.status, [("Content-Type", "application/xml")], answer, None)
        else:
            status, headers, reply = self._forward(body)
            self._answer(status, headers, reply, None if fault is None else fault.action)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.server.proxy.upstream_url).netloc, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, reply.getheaders(), reply.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, action: Action | None) -> None:
        if action == "lost_reply":
            self.close_connection = True
            return
        head = self.command == "HEAD"
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding") and (head or name.lower() != "content-length"):
                self.send_header(name, value)
        if not head:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if action in ("truncate_reply", "stall_reply"):
            body = body[: len(body) // 2]
            self.close_connection = True
        if not head:
            self.wfile.write(body)
        if action == "stall_reply":
            self.server.proxy.stalled.wait(timeout=60)

    def _reset(self) -> None:
        # Lingering for zero seconds makes the close a TCP reset instead of an orderly end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


for _method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.handle_request_with_faults)


def _error_body(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>by plan</Message></Error>".encode()
