"""`bitquarry serve` as users run it, and a load of queries on it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.command_line import start

_END_SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """What the service answered, and how long it took."""

    status: int
    headers: Mapping[str, str]
    content: Any
    seconds: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedCommand:
    """A process that serves; `started` is what it said."""

    process: subprocess.Popen[str]
    started: dict[str, Any]

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.started["address"])
        return str(parts.hostname), int(parts.port or 0)

    def ask(self, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        """One request on a connection of its own."""
        connection = HTTPConnection(*self.address, timeout=60)
        try:
            return request(connection, method, path, content, headers)
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return self.ask("GET", path).content

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_END_SECONDS)


def request(
    connection: HTTPConnection, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """One request on a connection that is kept."""
    started = time.monotonic()
    body = None if content is None else json.dumps(content).encode()
    connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
    response = connection.getresponse()
    data = response.read()
    names = {name.lower(): value for name, value in response.getheaders()}
    seconds = time.monotonic() - started
    return Reply(response.status, names, json.loads(data) if data else None, seconds)


@contextmanager
def served_command(catalog: str | Path, *arguments: str | Path) -> Iterator[ServedCommand]:
    """The command on a free port of loopback until the block ends; a test may have ended it before."""
    process = start("serve", "--catalog", catalog, "--port", "0", "--json", *arguments)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield ServedCommand(process=process, started=json.loads(line))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_END_SECONDS)
        if process.poll() is None:
            process.kill()
            process.communicate()


@dataclass(eq=False)
class QueryLoad:
    """Clients that ask one query after another, each on its connection, until the block ends.

    `bodies` are asked by turns. `replies[i]`: (number of the body, reply). `broken`: connections that ended without an
    answer, by what was said."""

    served: ServedCommand
    path: str
    bodies: Sequence[Any]
    num_clients: int = 4
    replies: list[tuple[int, Reply]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> QueryLoad:
        self._threads = [threading.Thread(target=self._ask, args=(place,)) for place in range(self.num_clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        for thread in self._threads:
            thread.join(90)
        assert not any(thread.is_alive() for thread in self._threads), "a query hangs"

    def wait_for_more(self, num_replies: int = 20, seconds: float = 60.0) -> None:
        """Until so many more replies have come."""
        enough = len(self.replies) + num_replies
        wait_until(lambda: len(self.replies) >= enough, f"{num_replies} more replies", seconds)

    def _ask(self, place: int) -> None:
        number = place
        connection = HTTPConnection(*self.served.address, timeout=60)
        while not self.ending.is_set():
            body = number % len(self.bodies)
            try:
                self.replies.append((body, request(connection, "POST", self.path, self.bodies[body])))
            except (OSError, HTTPException) as error:
                self.broken.append(f"{type(error).__name__}: {error}")
                connection.close()
                self.ending.wait(0.02)
            number += self.num_clients
        connection.close()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Until `condition()` holds. Fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.01)
