"""`serve_app`: an application on a socket, within limits, until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from pipeline.errors import UsageError
from pipeline.search_api.limited_protocol import LimitedProtocol, limited_protocol
from pipeline.search_api.service_limits import ServiceLimits

# Files, threads and Ray need descriptors beside the connections.
_OTHER_FILES = 1024
_TICKS_PER_CHECK = 5
_server_log = logging.getLogger("uvicorn.error")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class HttpServer(uvicorn.Server):
    """uvicorn with `LimitedProtocol`. SIGTERM and SIGINT end it in good order: no new connections, answers to what is
    asked already for `drain_seconds` at most, then the application's own end. A second SIGINT raises
    `KeyboardInterrupt`."""

    def __init__(
        self,
        app: ASGIApp,
        limits: ServiceLimits,
        *,
        drain_seconds: float = 30.0,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_started` is called when connections are accepted."""
        self._on_started = on_started
        _server_log.addFilter(_is_no_cancellation)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=limited_protocol(limits),
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.keep_alive_seconds,  # type: ignore[arg-type]  # handed to call_later
            timeout_graceful_shutdown=drain_seconds,  # type: ignore[arg-type]  # handed to wait_for
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Every 0.1 s. Half a second of tolerance is enough for deadlines of seconds."""
        if counter % _TICKS_PER_CHECK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, LimitedProtocol):
                    connection.check(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would die of the signal once it has stopped: exit code 143, where nothing has failed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        usual = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.should_exit and number == signal.SIGINT:
            _server_log.disabled = True  # what is torn down now would be told with tracebacks
            raise KeyboardInterrupt
        self.should_exit = True


def serve_app(server: HttpServer, listener: socket.socket, limits: ServiceLimits) -> None:
    """Serve on `listener` until a signal comes. Raises `KeyboardInterrupt` for a second Ctrl-C."""
    allow_files(limits.max_connections + _OTHER_FILES)
    server.run(sockets=[listener])


def bind_listener(host: str, port: int) -> socket.socket:
    """A socket bound to an address of `host`; `port` 0 takes a free one. Raises `UsageError` when it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise UsageError(f"serve.host {host!r}: no address of this machine ({error})") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(0)  # another listener is found now and not when indexes are open
    except OSError as error:
        listener.close()
        raise UsageError(_cannot_bind(host, port, error)) from None
    return listener


def address_of(listener: socket.socket) -> str:
    """As a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_on_loopback(listener: socket.socket) -> bool:
    """Whether nobody but this machine can connect."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def allow_files(num_files: int) -> None:
    """Raise this process's limit of open files to `num_files`. Raises `UsageError` when the machine allows fewer: a
    service that runs out of descriptors answers nobody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= num_files:
        return
    if hard != resource.RLIM_INFINITY and hard < num_files:
        raise UsageError(
            f"this process may open {hard:,} files, the service needs {num_files:,}: set serve.limits.max_connections "
            "lower or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (num_files, hard))


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """A request that is given up at the end of `drain_seconds` is no fault: uvicorn says in a line how many are."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


def _cannot_bind(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"serve.port {port}: in use on {host}; stop what listens there, or take another port (0: any free one)"
    if error.errno == errno.EACCES:
        return f"serve.port {port}: not allowed for this user; take one above 1023"
    return f"serve.host {host!r}, serve.port {port}: {os.strerror(error.errno or 0)}"
