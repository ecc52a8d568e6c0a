"""The last step of `bitquarry demo`: the service, as a user would start it, until Ctrl-C."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipeline.cli.failures import EXIT_INTERRUPTED, EXIT_OK
from pipeline.errors import PipelineError, UsageError

_NUM_PORTS = 100


def run_until_stopped(command: Sequence[str]) -> None:
    """Run a command that serves, until Ctrl-C or SIGTERM, which end it in good order. Raises `PipelineError` when it
    ends by itself with an error, `KeyboardInterrupt` for a second Ctrl-C."""
    with _termination_interrupts(), subprocess.Popen(command) as service:
        try:
            exit_code = service.wait()
        except KeyboardInterrupt:
            # The terminal told the service too; from elsewhere only this process was told.
            service.send_signal(signal.SIGTERM)
            exit_code = service.wait()
            if exit_code in (-signal.SIGTERM, EXIT_INTERRUPTED):  # it had not started yet
                exit_code = EXIT_OK
    if exit_code != EXIT_OK:
        raise PipelineError(f"the demo's service ended with exit code {exit_code}")


def free_port(first: int) -> int:
    """The first port on loopback from `first` on that nobody listens at; 0 stays 0, which lets the service choose.
    Raises `UsageError` when the next hundred are taken."""
    if first == 0:
        return 0
    for port in range(first, min(first + _NUM_PORTS, 65536)):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen(1)
            except OSError:
                continue
            return port
    raise UsageError(f"--port {first}: this and the next ports are taken; give another, or 0 for any free one")


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Within, SIGTERM is Ctrl-C: the service must not outlive its demo."""
    usual = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)
