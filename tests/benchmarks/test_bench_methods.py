"""The claims of the methods: what falls short is named, and every group runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.bench_methods import MethodsRun, figures_of, measure, unmet_claims
from benchmarks.method_claims import GROUPS, MethodGroup, above, at_least
from pipeline.jobs.evaluate_protocol import MethodRun


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name, rows in (("top", slice(0, 14)), ("bottom", slice(14, 28))):
        (tmp_path / name).mkdir()
        for number in range(20):
            pixels = generator.integers(0, 60, (28, 28, 3), dtype=np.uint8)
            pixels[rows] += 150
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_a_group_is_measured_over_seeds_and_its_claims_are_looked_at(class_folder: Path) -> None:
    group = MethodGroup(
        features="pixels",
        runs={"itq": MethodRun(method="itq", num_bits=8), "dsh": MethodRun(method="dsh", num_bits=8)},
        claims=(at_least("dsh", "map_at_10", 0.5), at_least("itq", "map_at_10", 1.1), above("itq", "itq", "ap_all")),
    )
    run = MethodsRun(seeds=(0, 1), data_dir=str(class_folder), protocol="folder")
    only_dsh = MethodsRun(seeds=(0,), data_dir=str(class_folder), protocol="folder", overrides={"num_epochs": 1})
    figures = figures_of(measure(replace(group, runs={"itq": group.runs["itq"]}), run))
    figures |= figures_of(measure(replace(group, runs={"dsh": group.runs["dsh"]}), only_dsh))
    assert len(figures["itq"]["map_at_10"]) == 2
    assert figures["dsh"]["train_seconds"][0] > 0
    assert unmet_claims(group, figures) == ["itq.map_at_10 >= 1.1", "itq.ap_all > itq.ap_all + 0.0"]


@pytest.mark.parametrize("name", GROUPS)
def test_claims_are_about_runs_of_the_group_and_methods_exist(name: str) -> None:
    group = GROUPS[name]()
    figures = {run: {"map_at_10": [0.5], "ap_all": [0.5], "train_seconds": [1.0]} for run in group.runs}
    unmet_claims(group, figures)
    for run in group.runs.values():
        run.ranking_of(run.hasher(0))
