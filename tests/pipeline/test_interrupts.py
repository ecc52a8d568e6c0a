import signal
import threading

import pytest

from pipeline.interrupts import raise_if_interrupted, remembered_interrupts


def _swallowed_interrupt() -> None:
    """SIGINT during a destructor: Python prints the exception and goes on."""

    class Unlucky:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)
            _ = [0 for _ in range(10)]  # the handler runs here

    Unlucky()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_swallowed_interrupt_is_raised_at_the_next_look() -> None:
    with remembered_interrupts():
        raise_if_interrupted()
        _swallowed_interrupt()
        with pytest.raises(KeyboardInterrupt):
            raise_if_interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with remembered_interrupts():
        raise_if_interrupted()  # an old one is forgotten


def test_it_is_raised_at_once_where_nothing_swallows_it() -> None:
    with remembered_interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_process_that_ignores_interrupts_goes_on_ignoring_them() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with remembered_interrupts():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_have_no_say_in_signals() -> None:
    seen: list[object] = []

    def look() -> None:
        with remembered_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(20)
    assert seen == [signal.default_int_handler]
