"""A client that costs little: requests made before the clock runs, on kept connections, each asking again at once.

    python -m pipeline.jobs.load_client < LoadPlan as JSON > LoadReport as JSON

It shares the machine with what it measures, so it runs in a process of its own, on bare sockets, and looks at answers
only as far as their length and status.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from dataclasses import asdict, dataclass, field
from typing import cast

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_OK = b"HTTP/1.1 200"


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """`bodies` are asked by turns, from `concurrency` connections. Answers to the first `num_kept` bodies are kept."""

    host: str
    port: int
    path: str
    bodies: list[str]
    concurrency: int
    warm_seconds: float
    seconds: float
    num_kept: int = 32


@dataclass(kw_only=True)
class LoadReport:
    """`num_answers` within `seconds`. `answers[i]`: one answer to body i. `num_refused`: those that were not 200."""

    seconds: float = 0.0
    num_answers: int = 0
    num_refused: int = 0
    p50_milliseconds: float = 0.0
    p99_milliseconds: float = 0.0
    answers: dict[int, str] = field(default_factory=dict)


class _Load:
    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._requests = [_request(plan, body) for body in plan.bodies]
        self._number = 0
        self._counts_from = self._counts_until = float("inf")
        self._latencies = array("d")
        self._num_open = 0
        self._report = LoadReport(seconds=plan.seconds)
        self._ended = asyncio.Event()

    async def run(self) -> LoadReport:
        loop = asyncio.get_running_loop()
        self._counts_from = time.perf_counter() + self._plan.warm_seconds
        self._counts_until = self._counts_from + self._plan.seconds
        self._num_open = self._plan.concurrency
        for _ in range(self._plan.concurrency):
            await loop.create_connection(lambda: _Connection(self), self._plan.host, self._plan.port)
        await self._ended.wait()
        ordered = sorted(self._latencies)
        self._report.num_answers = len(ordered)
        self._report.p50_milliseconds = _percentile(ordered, 0.50)
        self._report.p99_milliseconds = _percentile(ordered, 0.99)
        return self._report

    def next(self) -> tuple[int, bytes] | None:
        """A request and its number, until the time is over."""
        if time.perf_counter() >= self._counts_until:
            return None
        number = self._number % len(self._requests)
        self._number += 1
        return number, self._requests[number]

    def answered(self, number: int, started: float, head: bytes, body: bytes) -> None:
        now = time.perf_counter()
        if not head.startswith(_OK):
            self._report.num_refused += 1
        elif self._counts_from <= now < self._counts_until:
            self._latencies.append(1000 * (now - started))
        if number < self._plan.num_kept:
            self._report.answers[number] = body.decode()

    def closed(self) -> None:
        self._num_open -= 1
        if self._num_open == 0:
            self._ended.set()


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._received = b""
        self._number = 0
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # that of uvloop is none by its class
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head_end = self._received.find(_HEAD_END)
        if head_end < 0:
            return
        place = self._received.find(_LENGTH, 0, head_end) + len(_LENGTH)
        stop = self._received.find(b"\r", place)
        length = int(self._received[place:stop])
        if len(self._received) < head_end + len(_HEAD_END) + length:
            return
        body = self._received[head_end + len(_HEAD_END) :]
        self._load.answered(self._number, self._started, self._received[:head_end], body)
        self._received = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed()

    def _ask(self) -> None:
        following = self._load.next()
        if following is None:
            self._transport.close()
            return
        self._number, request = following
        self._started = time.perf_counter()
        self._transport.write(request)


def _request(plan: LoadPlan, body: str) -> bytes:
    head = (
        f"POST {plan.path} HTTP/1.1\r\nhost: {plan.host}:{plan.port}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode("ascii")


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def main() -> None:
    """Do what the plan on stdin says."""
    plan = LoadPlan(**json.load(sys.stdin))
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    with runner:
        report = runner.run(_run(plan))
    sys.stdout.write(json.dumps(asdict(report)))


async def _run(plan: LoadPlan) -> LoadReport:
    return await _Load(plan).run()


if __name__ == "__main__":
    main()
