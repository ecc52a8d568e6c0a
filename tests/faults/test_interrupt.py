"""Ctrl-C in a terminal: SIGINT to the whole process group. What is finished is committed, and a rerun does the rest."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import command_line
from tests.faults.encode_corpus import NUM_PICTURES, EncodeCorpus
from tests.faults.moments import at_moments

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]

INTERRUPTED = 130
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A command whose controlling terminal is a pseudo-terminal, so that a typed Ctrl-C is a real one."""

    def __init__(self, *arguments: str | Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [*command_line.COMMAND, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**command_line.environment(), "TERM": "xterm", "COLUMNS": "120"},
            text=True,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self._shown = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def press_control_c(self) -> None:
        """The terminal's driver turns this into SIGINT for every process of the foreground group."""
        os.write(self._ours, b"\x03")

    def wait(self) -> tuple[int, str]:
        """Exit code and everything that was shown, without escape sequences."""
        exit_code = self.process.wait(timeout=120)
        self._reader.join(timeout=20)
        return exit_code, _ESCAPES.sub("", self._shown.decode(errors="replace"))

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=20)
        os.close(self._ours)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: the last process has left the terminal
            while data := os.read(self._ours, 65536):
                self._shown += data


@pytest.fixture
def open_terminal() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def newest_report(corpus: EncodeCorpus, collection: str) -> dict[str, object]:
    reports = (corpus.catalog / "reports").glob(f"encode-{collection}-*/run_report.json")
    report: dict[str, object] = json.loads(max(reports, key=lambda path: path.stat().st_mtime_ns).read_text())
    return report


def test_control_c_keeps_what_is_finished(corpus: EncodeCorpus, open_terminal: list[Terminal], tmp_path: Path) -> None:
    """Commits are far apart here, so what is kept was committed because of the interrupt."""
    config = tmp_path / "settings.yaml"
    config.write_text("encode: {commit_every_tasks: 1000, commit_every_seconds: 1000}\nray: {num_cpus: 2}\n")
    command = [config if part == corpus.config else part for part in corpus.encode("interrupted")]
    terminal = Terminal(*command)
    open_terminal.append(terminal)
    for _ in at_moments(terminal.process, lambda: corpus.num_written("interrupted"), [5]):
        terminal.press_control_c()
    exit_code, shown = terminal.wait()
    assert exit_code == INTERRUPTED, shown
    assert "Traceback" not in shown
    complaints = [line for line in shown.splitlines() if "bitquarry: " in line]
    assert len(complaints) == 1, shown
    assert "interrupted; what was finished is kept, run the same command again" in complaints[0]
    assert "items/s" in shown, "no progress bar on a terminal"

    content = corpus.content("interrupted")
    assert content.codes, "nothing that was finished was kept"
    assert set(content.codes) < set(corpus.calm.codes)
    report = newest_report(corpus, "interrupted")
    assert report["state"] == "interrupted"
    assert report["num_rows"] == len(content.codes)

    rerun = command_line.start(*corpus.encode("interrupted"))
    _, rerun_complaints = rerun.communicate(timeout=200)
    assert rerun.returncode in (0, 3), rerun_complaints  # 3 where a broken picture was among the rest
    corpus.assert_undisturbed("interrupted")


def test_without_control_c_the_same_run_ends_well(corpus: EncodeCorpus, open_terminal: list[Terminal]) -> None:
    """Self-test: in the same terminal, nobody interrupting, the command shows its summary and exits as always."""
    terminal = Terminal(*corpus.encode("on-terminal"))
    open_terminal.append(terminal)
    exit_code, shown = terminal.wait()
    assert exit_code == 3, shown
    assert f"{NUM_PICTURES} encoded, 5 rejects" in shown
    assert "interrupted" not in shown.replace("on-terminal", "")
    corpus.assert_undisturbed("on-terminal")
