"""A small run of the encode benchmark: what it says, and what it refuses to say. Nothing here depends on speed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.jobs.bench_encode import BenchEncodeSettings, EncodeBenchResult, EncodeRound, bench_encode
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings
from tests.command_line import COMMAND, run

_PHOTOS = PhotoCorpusSettings(num_photos=100, width=96, height=64)


def test_bench_encode_says_figure_comparator_and_ratio(tmp_path: Path) -> None:
    photos = ("--photos", "50", "--copies", "2", "--width", "96", "--height", "64")
    options = (*photos, "--repeats", "1", "--task-items", "50")
    facts = json.loads(run("bench", "encode", "--data-dir", tmp_path, *options, "--json"))
    assert (facts["bench"], facts["num_pictures"], facts["picture_pixels"]) == ("encode", 100, [96, 64])
    for part in (facts, facts["without_startup"]):
        assert part["figure"] > 0
        assert part["ratio"] == pytest.approx(part["figure"] / part["comparator"])
        assert part["ratio_spread"] == pytest.approx([part["ratio"], part["ratio"]])
    assert facts["without_startup"]["figure"] > facts["figure"]
    (only_round,) = facts["rounds"]
    assert facts["figure"] == pytest.approx(100 / only_round["job_seconds"])
    assert {path.name for path in tmp_path.iterdir()} == {"photos-50-96x64-seed0", "photos-50-96x64-seed0-x2"}


def test_medians_and_spread_are_taken_over_rounds() -> None:
    rounds = tuple(
        EncodeRound(job_seconds=j, job_working_seconds=j / 2, loop_seconds=c, loop_working_seconds=c, load_before=0)
        for j, c in ((6.0, 3.0), (10.0, 6.0), (5.0, 5.0))
    )
    settings = BenchEncodeSettings(command=COMMAND, data_dir=Path("unused"), photos=_PHOTOS)
    result = EncodeBenchResult(settings=settings, num_processes=2, rounds=rounds, last_report={"bottleneck": "decode"})
    facts = result.to_json()
    assert (facts["figure"], facts["comparator"]) == (100 / 6, 20.0)
    assert facts["ratio"] == pytest.approx(5 / 6)
    assert facts["ratio_spread"] == [0.5, 1.0]
    assert facts["without_startup"]["figure"] == pytest.approx(200 / 6)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('no such thing')", "encode ended with exit code 1: no such thing"),
        (
            'print(\'{"wall_seconds": 2, "startup_seconds": 1, "num_retried_tasks": 1}\')',
            "a task was retried",
        ),
        (
            'print(\'{"wall_seconds": 2, "startup_seconds": 1, "num_retried_tasks": 0}\')',
            "different codes",
        ),
    ],
)
def test_a_job_that_did_not_do_the_work_gives_no_figure(tmp_path: Path, program: str, message: str) -> None:
    settings = BenchEncodeSettings(
        command=(sys.executable, "-c", program), data_dir=tmp_path, photos=_PHOTOS, num_repeats=1
    )
    with pytest.raises(PipelineError, match=message):
        bench_encode(settings, lambda line: None)
    assert [path.name for path in tmp_path.iterdir()] == ["photos-100-96x64-seed0"]
