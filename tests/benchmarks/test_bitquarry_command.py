import subprocess
from pathlib import Path

import pytest

from benchmarks.bitquarry_command import run_bitquarry
from tests.command_line import ROOT


def test_a_command_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(subprocess.CalledProcessError):
        run_bitquarry("plan", "--catalog", tmp_path, "--collection", "c", "--model", "m", "--source", tmp_path)
