"""The demo's service ends when the demo is told to, and takes the next port when its own is taken."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.cli import demo
from pipeline.cli.demo_service import free_port, run_until_stopped
from pipeline.errors import MissingExtra, PipelineError
from tests.command_line import ROOT
from tests.pipeline.search_api.running_service import wait_until

# Ends with 0 when SIGTERM comes, and says so.
SERVICE = """
import pathlib, signal, sys
def end(*_):
    pathlib.Path(sys.argv[1] + ".ended").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, signal.SIG_IGN)
pathlib.Path(sys.argv[1] + ".started").touch()
while True:
    signal.pause()
"""
DEMO = "import sys; from pipeline.cli.demo_service import run_until_stopped; run_until_stopped(sys.argv[1:])"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_service_and_then_the_demo(tmp_path: Path, number: signal.Signals) -> None:
    mark = str(tmp_path / "service")
    service = [sys.executable, "-c", SERVICE, mark]
    demo = subprocess.Popen([sys.executable, "-c", DEMO, *service], cwd=ROOT, start_new_session=True)
    try:
        wait_until(Path(f"{mark}.started").exists, "the service starts")
        demo.send_signal(number)
        assert demo.wait(timeout=20) == 0
    finally:
        demo.kill()
        demo.wait()
    assert Path(f"{mark}.ended").exists()


def test_a_service_that_cannot_start_fails_the_demo() -> None:
    with pytest.raises(PipelineError, match="ended with exit code 3"):
        run_until_stopped([sys.executable, "-c", "raise SystemExit(3)"])


def test_a_service_that_was_told_to_end_before_it_started_fails_nothing(tmp_path: Path) -> None:
    started = tmp_path / "started"
    service = [sys.executable, "-c", f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(60)"]

    def interrupt() -> None:
        wait_until(started.exists, "the service starts")
        os.kill(os.getpid(), signal.SIGTERM)

    usual = signal.getsignal(signal.SIGTERM)  # Ray, once it was started here, has its own
    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    run_until_stopped(service)
    interrupting.join()
    assert signal.getsignal(signal.SIGTERM) == usual


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 100
    assert free_port(port) == port
    assert free_port(0) == 0


def test_what_the_service_needs_is_missed_before_the_demo_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"--no-serve does without\) is not installed; run: pip install .*serve"):
        demo.demo(out=tmp_path / "demo", port=0, serve=True)
    assert not (tmp_path / "demo").exists()
