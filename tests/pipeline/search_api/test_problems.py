"""Which status an error becomes, and what is told of it."""

from __future__ import annotations

import pytest

from operators.errors import InvalidSetting, MediaTooLarge, ShapeMismatch, UndecodableMedia
from pipeline.errors import (
    CorruptFile,
    ModelMismatch,
    PipelineError,
    SearchError,
    ServiceOverloaded,
    UnknownName,
    UsageError,
)
from pipeline.search_api.problems import problem_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("k = 0: expected a whole number from 1 to 16,384"), 400),
        (UnknownName("index", "nope", ("photos",)), 404),
        (ShapeMismatch("code", "8 bits", "64 bits"), 400),
        (InvalidSetting("k", "0", "at least 1"), 400),
        (UndecodableMedia("not a picture"), 400),
        (ModelMismatch("index photos", "a" * 64, "b" * 64), 409),
        (ServiceOverloaded(5, 4), 503),
        (SearchError("2 of 4 shards did not answer"), 503),
        (CorruptFile("shard", "changed", "build it again"), 503),
        (TimeoutError(), 504),
        (PipelineError("anything else"), 500),
    ],
)
def test_an_error_has_a_status_and_its_text(error: Exception, status: int) -> None:
    problem = problem_of(error)
    assert problem.status == status
    assert str(error) in problem.detail
    assert problem.detail
    assert ("Retry-After" in problem.headers) == (status == 503)
    body = problem.to_json("r-1")
    assert (body["status"], body["request_id"]) == (status, "r-1")
    assert body["title"]


@pytest.mark.parametrize("error", [KeyError("/home/me/secret"), ZeroDivisionError(), OSError("/data/x")])
def test_what_nobody_foresaw_says_nothing_of_the_machine(error: Exception) -> None:
    problem = problem_of(error)
    assert problem.status == 500
    assert "secret" not in problem.detail
    assert "/" not in problem.detail


def test_a_long_text_is_cut() -> None:
    assert len(problem_of(UsageError("x" * 10**6)).detail) == 2000


def test_a_caller_is_not_told_to_change_a_setting() -> None:
    problem = problem_of(MediaTooLarge("pixels", 54_000_000, 40_000_000))
    assert problem.status == 413
    assert problem.detail == "54,000,000 pixels: this service takes pictures of up to 40,000,000"
