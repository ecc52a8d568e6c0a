"""`ServiceConnection`: JSON requests to one service over one kept connection."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import ServiceRefused, ServiceUnreachable, UsageError

_MAX_WAIT_SECONDS = 60


class ServiceConnection:
    """For one thread. `num_retries`: how often a question that the service was too busy for is asked again, after the
    time that it names."""

    def __init__(self, url: str, key: str | None, *, timeout_seconds: float, num_retries: int) -> None:
        """Raises `UsageError` for what is no HTTP address."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(f"{url!r} is no address of a service: expected http://HOST:PORT")
        try:
            port = parts.port
        except ValueError as error:
            raise UsageError(f"{url!r}: {error}") from None
        if key is not None and not (key.isascii() and key.isprintable() and key == key.strip()):
            raise UsageError("the API key holds blanks or characters that no key has; give the key alone, on one line")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.url = url
        self._prefix = parts.path.rstrip("/")
        self._connection = kind(parts.hostname, port, timeout=timeout_seconds)
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._num_retries = num_retries

    def close(self) -> None:
        self._connection.close()

    def ask(self, method: str, path: str, content: Any = None, *, accept: tuple[int, ...] = (200,)) -> dict[str, Any]:
        """The JSON object that the service answers to a question, which may be asked twice without harm. Raises
        `ServiceRefused` for a status that is not in `accept`, and `ServiceUnreachable`."""
        body, headers = (None, {}) if content is None else _json_body(content)
        return self.send(method, path, body, headers, accept=accept)

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        accept: tuple[int, ...] = (200,),
    ) -> dict[str, Any]:
        """As `ask`, with a body of any kind."""
        for num_left in range(self._num_retries, -1, -1):
            try:
                return self._once(method, path, body, headers, accept)
            except ServiceRefused as refused:
                if refused.status != 503 or not refused.retry_after_seconds or not num_left:
                    raise
                time.sleep(min(refused.retry_after_seconds, _MAX_WAIT_SECONDS))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def change(self, path: str, content: Any) -> dict[str, Any]:
        """A request that changes something: sent once, over a connection that is surely open."""
        self._connection.close()
        body, headers = _json_body(content)
        return self._answer(self._exchange("POST", path, body, headers), (200,))

    def _once(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], accept: tuple[int, ...]
    ) -> dict[str, Any]:
        is_kept = self._connection.sock is not None
        try:
            response = self._exchange(method, path, body, headers)
        except ServiceUnreachable:
            if not is_kept:
                raise
            # The service may have closed a connection that was long idle.
            response = self._exchange(method, path, body, headers)
        return self._answer(response, accept)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> HTTPResponse:
        try:
            # A service that refuses a body may answer before it is sent.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._connection.request(method, self._prefix + path, body, {**self._headers, **headers})
            return self._connection.getresponse()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ServiceUnreachable(self.url, str(error) or type(error).__name__) from None

    def _answer(self, response: HTTPResponse, accept: tuple[int, ...]) -> dict[str, Any]:
        try:
            text = response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ServiceUnreachable(self.url, f"its answer broke off ({error})") from None
        content = _json_object(text)
        if response.status in accept and content is not None:
            return content
        told = content or {}
        retry_after = response.headers.get("Retry-After", "")
        raise ServiceRefused(
            response.status,
            str(told.get("detail") or f"{response.reason}; no JSON object, so this may be another service"),
            str(told.get("request_id") or response.headers.get("X-Request-Id", "")),
            int(retry_after) if retry_after.isdigit() else 0,
        )


def _json_body(content: Any) -> tuple[bytes, dict[str, str]]:
    return json.dumps(content).encode("utf-8"), {"Content-Type": "application/json"}


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
