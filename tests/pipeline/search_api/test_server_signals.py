"""Signals end a server in good order, and a second Ctrl-C at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.command_line import environment
from tests.pipeline.search_api.limited_server import POST, connected, received_until_closed, wait_until_served

_SIGNALLED = """
import sys
from pipeline.cli.failures import run_command
from pipeline.search_api.http_server import HttpServer, bind_listener, serve_app
from tests.pipeline.search_api.limited_server import QUICK, app
from dataclasses import replace

limits = replace(QUICK, body_seconds=60)

def serve():
    with bind_listener("127.0.0.1", 0) as listener:
        say = lambda: print(listener.getsockname()[1], flush=True)
        serve_app(HttpServer(app, limits, drain_seconds=float(sys.argv[1]), on_started=say), listener, limits)

sys.exit(run_command(serve))
"""


@contextmanager
def signalled(drain_seconds: float) -> Iterator[tuple[subprocess.Popen[str], tuple[str, int]]]:
    """A process that serves, and its address."""
    command = [sys.executable, "-c", _SIGNALLED, str(drain_seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        assert process.stdout is not None
        yield process, ("127.0.0.1", int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


def complaints(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_requests_finish(number: signal.Signals) -> None:
    with signalled(60) as (process, address), connected(address) as client, connected(address) as idle:
        client.sendall(POST)
        wait_until_served(address)
        process.send_signal(number)
        assert idle.recv(1) == b"", "a connection without a request is closed"
        _wait_until_refused(address)
        client.sendall(b"x" * 100)
        assert received_until_closed(client).startswith(b"HTTP/1.1 200 ")
        assert process.wait(20) == 0


def test_nobody_is_waited_for_longer_than_is_allowed() -> None:
    with signalled(0.3) as (process, address), connected(address) as client:
        client.sendall(POST)
        wait_until_served(address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert complaints(process) == "Cancel 1 running task(s), timeout graceful shutdown exceeded\n"


def test_a_second_interrupt_ends_at_once() -> None:
    with signalled(3600) as (process, address), connected(address) as client, connected(address) as idle:
        client.sendall(POST)
        wait_until_served(address)
        process.send_signal(signal.SIGINT)
        assert idle.recv(1) == b""
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert complaints(process).startswith("bitquarry: interrupted")


def _wait_until_refused(address: tuple[str, int]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            return
    pytest.fail("new connections are still taken")
