"""Replies, failures, mistakes of the caller, and futures that never end."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Any

import pytest

from pipeline.errors import UsageError
from pipeline.routing.fan_out import Deadline, gather


def done(value: Any = None, error: Exception | None = None) -> Future[Any]:
    future: Future[Any] = Future()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)
    return future


def test_replies_and_failures_by_name() -> None:
    never: Future[Any] = Future()
    futures = {"a": done(1), "b": done(error=OSError("gone")), "c": never}
    gathered = gather(futures, Deadline.after(0.01))
    assert gathered.replies == {"a": 1}
    assert gathered.failures == {"b": "OSError: gone", "c": "no answer within 0.01 s"}
    assert never.cancelled()


def test_the_callers_mistake_is_raised_as_it_is() -> None:
    mistake = UsageError("no item with id 5")
    with pytest.raises(UsageError) as raised:
        gather({"a": done(1), "b": done(error=mistake)}, Deadline.after(1))
    assert raised.value is mistake


def test_a_deadline_that_has_passed_still_takes_what_is_there() -> None:
    past = Deadline(time.monotonic() - 1, 3.0)
    assert past.left_seconds == 0
    assert gather({"a": done(1)}, past).replies == {"a": 1}


def test_nobody_asked() -> None:
    assert gather({}, Deadline.after(1)).replies == {}
