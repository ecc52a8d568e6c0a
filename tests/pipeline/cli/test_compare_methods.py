"""`bitquarry evaluate --all-methods` as users type it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import command_line


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for name, brightness in (("dark", 0), ("light", 150)):
        (root / name).mkdir()
        for number in range(20):
            pixels = generator.integers(0, 80, (8, 8), np.uint8) + brightness
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return root


def test_a_comparison_from_the_command_line(pictures: Path, tmp_path: Path) -> None:
    command: list[str | Path] = ["evaluate", "-p", "folder", "--data-dir", pictures, "-f", "pixels"]
    command += ["--feature-set", "side=8", "--all-methods", "--out", tmp_path / "out", "--seeds", "2"]
    command += [
        *["-m", "itq", "-m", "dsh", "-m", "pq", "-b", "8", "-b", "4"],
        "--method-set",
        "num_epochs=1",
        "--method-set",
        "network=mlp",
    ]
    shown = command_line.run(*command, exit_code=1)  # pq fails: 36 pictures are no 256 codewords
    lines = {line.split()[0]: line.split() for line in shown.splitlines() if line}
    assert lines["method"][3:] == ["4", "bits", "8", "bits"]
    assert lines["itq"][1:3] == ["pixels", "no"]
    assert lines["dsh"][1:3] == ["pixels", "yes"]
    assert lines["dsh"].count("±") == 2
    assert "failed: pq, 8 bits" in shown
    assert "left out: pq, 4 bits" in shown
    assert f"page: {tmp_path / 'out' / 'page.html'}" in shown
    record = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert record["settings"]["num_bits"] == [4, 8]
    again = json.loads(command_line.run(*command, "--json", exit_code=1))
    assert again["runs"] == record["runs"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--all-methods"], "--out FOLDER"),
        (["--all-methods", "--out", "x", "--ranking", "summed"], "goes without --index, --num-tables, --ranking"),
        (["--seeds", "2"], "--seeds and --out go with --all-methods"),
        (["--all-methods", "--out", "x", "--method-set", "num_moons=1"], "no method compared has this setting"),
    ],
)
def test_what_does_not_go_together_is_refused(pictures: Path, given: list[str], expected: str) -> None:
    line = command_line.complaint("evaluate", "-p", "folder", "--data-dir", pictures, *given, exit_code=2)
    assert expected in line
