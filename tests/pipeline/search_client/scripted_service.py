"""A server on loopback that answers as its script says and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class ScriptedAnswer:
    """`hang_up`: no answer at all, the connection is closed."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: bool = False


@dataclass(frozen=True)
class ScriptedService:
    """`requests`: (method, path, headers, body) in order; `num_connections` made so far."""

    url: str
    requests: list[tuple[str, str, dict[str, str], bytes]]
    connections: set[tuple[str, int]]


@contextmanager
def scripted_service(answers: list[ScriptedAnswer]) -> Iterator[ScriptedService]:
    """Gives the answers in order, the last one again and again."""
    requests: list[tuple[str, str, dict[str, str], bytes]] = []
    connections: set[tuple[str, int]] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            connections.add(self.client_address)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            requests.append((self.command, self.path, dict(self.headers), body))
            scripted = answers[min(len(requests), len(answers)) - 1]
            self.close_connection = scripted.hang_up
            if scripted.hang_up:
                return
            self.send_response(scripted.status)
            for name, value in {**scripted.headers, "Content-Length": str(len(scripted.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(scripted.body)

        do_GET = do_POST = answer  # noqa: N815 the names that http.server calls

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield ScriptedService(f"http://127.0.0.1:{server.server_port}", requests, connections)
        finally:
            server.shutdown()
            thread.join()
