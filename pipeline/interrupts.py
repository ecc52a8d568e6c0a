"""Ctrl-C that is not lost: an interrupt that a library swallows is noticed at the next step of a job."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_pressed = threading.Event()


@contextmanager
def remembered_interrupts() -> Iterator[None]:
    """Within, SIGINT raises `KeyboardInterrupt` as usual and is remembered too. A process that ignores SIGINT, or has a
    handler of its own, keeps it; so do threads other than the main one."""
    usual = threading.current_thread() is threading.main_thread()
    if not usual or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _pressed.clear()
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def raise_if_interrupted() -> None:
    """Raise `KeyboardInterrupt` again if there was one within `remembered_interrupts`: an exception that passes through
    a destructor or a callback of compiled code stops there, and a job would run on."""
    if _pressed.is_set():
        raise KeyboardInterrupt


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _pressed.set()
    raise KeyboardInterrupt
