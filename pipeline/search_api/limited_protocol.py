"""`LimitedProtocol`: uvicorn's HTTP/1.1 with the limits that it lacks: deadlines for headers and body, a size of
headers, and a number of connections."""

from __future__ import annotations

import asyncio
import json
import math
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipeline.search_api.problems import MEDIA_TYPE, Problem
from pipeline.search_api.service_limits import DEFAULT_LIMITS, ServiceLimits

# How long a connection that is closed on our side may take to go: a client that reads nothing keeps answers in our
# memory, and one that is refused needs a moment to read why.
LINGER_SECONDS = 2.0
_MAX_REFUSED = 256


class _Waiting(Enum):
    HEADERS = auto()
    BODY = auto()
    NOTHING = auto()


class _HeadersTooLarge(Exception):
    """Stops the parser; the answer tells it from a request that is no HTTP."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection. `check` is called from outside about every second and closes it when a deadline has passed;
    a subclass with other `limits` is made by `limited_protocol`."""

    limits: ClassVar[ServiceLimits] = DEFAULT_LIMITS
    num_refused: ClassVar[int] = 0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waiting = _Waiting.NOTHING
        self._deadline = math.inf
        self._num_header_bytes = 0
        self._num_new_bytes = 0
        self._too_large = False
        self._refused = False
        self._has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for(_Waiting.HEADERS, self.limits.header_seconds)
        if len(self.connections) - type(self).num_refused > self.limits.max_connections:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._refused:
            type(self).num_refused -= 1
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or self.parser is None:
            return
        self._num_new_bytes = len(data)
        super().data_received(data)
        if self._waiting is _Waiting.HEADERS:
            self._num_header_bytes += len(data)
            if self._num_header_bytes > self.limits.max_header_bytes:
                self._too_large = True
                self.send_400_response("")
        elif self._waiting is _Waiting.NOTHING and self._is_between and self.timeout_keep_alive_task is None:
            # Blank lines, which the parser skips, have stopped the clock of the kept connection.
            self._wait_for(_Waiting.HEADERS, self.limits.header_seconds)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._has_begun = True
        self._num_header_bytes = 0
        self._wait_for(_Waiting.HEADERS, self.limits.header_seconds)

    def on_headers_complete(self) -> None:
        if self._num_header_bytes + self._num_new_bytes > self.limits.max_header_bytes:  # some of which may be body
            num_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if num_bytes > self.limits.max_header_bytes:
                self._too_large = True
                raise _HeadersTooLarge
        self._wait_for(_Waiting.BODY, self.limits.body_seconds)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._wait_for(_Waiting.NOTHING, math.inf)
        super().on_message_complete()

    def check(self, now: float) -> None:
        """Close what is over its time at `now` of the loop's clock."""
        if self.transport.is_closing():
            if self._deadline == math.inf:
                self._deadline = now + LINGER_SECONDS
            elif now > self._deadline:
                self.transport.abort()
        elif now > self._deadline:
            self._close_late()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for a request that it cannot parse."""
        if self._too_large:
            detail = f"headers: expected at most {self.limits.max_header_bytes:,} bytes"
            self._end_with(Problem(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail=detail))
        else:
            self._end_with(Problem(status=HTTPStatus.BAD_REQUEST, detail="not a request of HTTP/1.1"))

    @property
    def _is_between(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _wait_for(self, what: _Waiting, seconds: float) -> None:
        self._waiting = what
        self._deadline = self.loop.time() + seconds

    def _refuse(self) -> None:
        """One connection too many: say so, and let the client read it before the connection goes."""
        detail = f"{self.limits.max_connections:,} connections are open, which is all that the service takes"
        headers = {"Retry-After": str(self.limits.retry_seconds)}
        self._refused = True
        type(self).num_refused += 1
        self.transport.write(_as_http(Problem(status=HTTPStatus.SERVICE_UNAVAILABLE, detail=detail, headers=headers)))
        if type(self).num_refused > _MAX_REFUSED or not self.transport.can_write_eof():
            self.transport.close()
        else:
            # Closed at once, with the request unread, the client would see a reset and not the answer.
            self.transport.write_eof()
            self._wait_for(_Waiting.HEADERS, LINGER_SECONDS)

    def _close_late(self) -> None:
        if self._refused:
            self.transport.abort()
        elif not self._has_begun:
            self._close()  # nothing was asked
        elif self._waiting is _Waiting.HEADERS:
            detail = f"headers: not complete within {self.limits.header_seconds:g} s"
            self._end_with(Problem(status=HTTPStatus.REQUEST_TIMEOUT, detail=detail))
        else:
            detail = f"body: not complete within {self.limits.body_seconds:g} s"
            self._end_with(Problem(status=HTTPStatus.REQUEST_TIMEOUT, detail=detail))

    def _end_with(self, problem: Problem) -> None:
        """Answer with it, unless something else is being answered, and close."""
        unanswered = self._waiting is _Waiting.BODY and not self._is_between and not self.cycle.response_started
        if not self.pipeline and (unanswered or (self._is_between and self._waiting is _Waiting.HEADERS)):
            self.transport.write(_as_http(problem))
        self._close()

    def _close(self) -> None:
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._deadline = self.loop.time() + LINGER_SECONDS


def limited_protocol(limits: ServiceLimits) -> type[LimitedProtocol]:
    """The class for one server: what uvicorn is given instead of its own."""
    return type("LimitedProtocol", (LimitedProtocol,), {"limits": limits, "num_refused": 0})


def _as_http(problem: Problem) -> bytes:
    body = json.dumps(problem.to_json("")).encode()
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "connection": "close",
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.status} {problem.status.phrase}", *(f"{name}: {v}" for name, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
