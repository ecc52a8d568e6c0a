import subprocess
import sys
import threading
from collections.abc import Callable

import psutil
import pytest

from benchmarks.process_memory import MemoryWatch

_MIB = 2**20


def _watched(program: str, *, until: Callable[[MemoryWatch], bool]) -> dict[str, tuple[int, int]]:
    """The peaks of a Python program that runs until it is told to end."""
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    with MemoryWatch(process.pid, every_seconds=0.02) as watch:
        pause = threading.Event()
        for _ in range(1000):
            if until(watch):
                break
            pause.wait(0.02)
        process.communicate(b"end")
    return watch.peaks


def test_memory_that_was_given_back_still_counts() -> None:
    program = "import sys; block = bytearray(50 * 2**20); sys.stdin.read(1); del block; sys.stdin.read()"
    peaks = _watched(program, until=lambda watch: watch.peaks.get("driver", (0, 0))[0] > 50 * _MIB)
    assert peaks["driver"][0] > 50 * _MIB
    assert peaks["driver"][1] >= peaks["driver"][0]


@pytest.mark.parametrize(
    ("title", "role"), [("ray::EncoderActor.encode", "encoder"), ("ray::_decode", "decoder"), ("ray::IDLE", "other")]
)
def test_children_have_the_role_in_their_title(title: str, role: str) -> None:
    child = f"import sys; sys.stdin.read() or '{title}'"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert role in _watched(program, until=lambda watch: role in watch.peaks)


def test_there_must_be_a_process_to_watch() -> None:
    with pytest.raises(psutil.NoSuchProcess):
        MemoryWatch(2**22 + 1)
