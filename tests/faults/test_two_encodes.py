"""Two `encode` commands at once on one collection: every item once, as a row or as a reject."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.code_shards.code_table import CodeTable
from tests import command_line
from tests.faults.encode_corpus import NUM_PICTURES, TASK_ITEMS, EncodeCorpus

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


def test_two_jobs_at_once_commit_every_task_once(corpus: EncodeCorpus) -> None:
    drivers = [command_line.start(*corpus.encode("shared"), "--json") for _ in range(2)]
    ended = [driver.communicate(timeout=300) for driver in drivers]
    assert all(driver.returncode in (0, 3) for driver in drivers), ended
    corpus.assert_undisturbed("shared")
    reports: list[dict[str, Any]] = [json.loads(output) for output, _ in ended]
    num_tasks = len(CodeTable.open(f"{corpus.catalog}/collections/shared").snapshot().shards)
    assert num_tasks >= NUM_PICTURES / TASK_ITEMS / 2
    assert_both_worked(reports, num_tasks)


def assert_both_worked(reports: list[dict[str, Any]], num_tasks: int) -> None:
    """Tasks encoded by both were committed by one; without any of those the jobs only took turns."""
    encoded = sum(report["num_tasks"] for report in reports)
    lost = sum(report["num_tasks_by_other_jobs"] for report in reports)
    assert encoded - lost == num_tasks
    assert lost > 0, "the two jobs never met: the test showed nothing"


def test_a_job_that_took_turns_goes_red() -> None:
    """Self-test: a run in which the jobs did not overlap, or a task was committed twice, does not pass."""
    alone = [{"num_tasks": 30, "num_tasks_by_other_jobs": 0}, {"num_tasks": 0, "num_tasks_by_other_jobs": 0}]
    twice = [{"num_tasks": 30, "num_tasks_by_other_jobs": 3}, {"num_tasks": 30, "num_tasks_by_other_jobs": 26}]
    for reports in (alone, twice):
        with pytest.raises(AssertionError):
            assert_both_worked(reports, 30)
