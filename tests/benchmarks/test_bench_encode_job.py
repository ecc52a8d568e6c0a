from pathlib import Path

import pytest

from benchmarks.bench_encode_job import summarise
from pipeline.jobs.bench_encode import BenchEncodeSettings, EncodeBenchResult, EncodeRound
from pipeline.sample_corpus.photo_corpus import PhotoCorpusSettings


def test_figures_are_summarised_over_rounds() -> None:
    rounds = tuple(
        EncodeRound(job_seconds=j, job_working_seconds=j - 4, loop_seconds=c, loop_working_seconds=c, load_before=0.5)
        for j, c in ((10.0, 8.0), (12.5, 10.0), (8.0, 7.0))
    )
    photos = PhotoCorpusSettings(num_photos=100)
    settings = BenchEncodeSettings(command=(), data_dir=Path("unused"), photos=photos)
    figures = summarise(EncodeBenchResult(settings=settings, num_processes=2, rounds=rounds, last_report={}))
    assert figures["job"].median == pytest.approx(10)
    assert (figures["ratio"].lower_quartile, figures["ratio"].upper_quartile) == pytest.approx((0.8, 0.875))
    assert figures["ratio_without_startup"].median == pytest.approx(8 / 6)
    assert figures["load_before"].median == 0.5
