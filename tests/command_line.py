"""The `bitquarry` command as users run it: a process of its own, with its own local Ray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

COMMAND = (sys.executable, "-m", "pipeline.cli.app")
ROOT = Path(__file__).parents[1]


def environment() -> dict[str, str]:
    """This process's environment (fixtures put S3 servers there), with the checkout importable from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


def start(*arguments: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start a command with its output captured; the caller waits for it or kills it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=cwd,
        start_new_session=True,
    )


def run(*arguments: str | Path, cwd: Path | None = None, exit_code: int = 0) -> str:
    """Run a command to its end; its stdout. Fails the test, with all its output, on any other exit code."""
    process = start(*arguments, cwd=cwd)
    output, complaints = process.communicate(timeout=110)
    shown = f"bitquarry {' '.join(map(str, arguments))}\n{output}\n{complaints}"
    assert process.returncode == exit_code, f"exit code {process.returncode}, expected {exit_code}: {shown}"
    assert "Traceback" not in complaints, shown
    return output


def complaint(*arguments: str | Path, exit_code: int) -> str:
    """What a failing command says on stderr: one line, no traceback."""
    process = start(*arguments)
    output, complaints = process.communicate(timeout=110)
    assert process.returncode == exit_code, f"exit code {process.returncode}: {output}\n{complaints}"
    lines = [line for line in complaints.splitlines() if line.startswith("bitquarry: ")]
    assert len(lines) == 1, complaints
    assert "Traceback" not in complaints, complaints
    return lines[0]
