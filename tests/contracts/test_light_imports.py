"""Commands import what they need and no more: `--help` is quick, and a search by code needs no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.jobs.build_index import BuildSettings, build_index
from tests.command_line import environment
from tests.pipeline.jobs.search_examples import NUM_BITS, make_picture_catalog, picture

HEAVY = ("torch", "transformers", "ray", "pyarrow", "deltalake", "boto3", "PIL", "matplotlib", "faiss")
RUN_MAIN = """
import json, sys
from pipeline.cli.app import main
try:
    main()
except SystemExit as done:
    assert done.code == 0, done.code
"""
REPORT = "\nprint(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"


def _imported(program: str, *arguments: str) -> set[str]:
    """Top-level modules that the program leaves behind in its process."""
    command = [sys.executable, "-c", "import json, sys" + program + REPORT, *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("program", ["\nimport pipeline.cli.app", RUN_MAIN], ids=["import", "--help"])
def test_the_command_line_starts_light(program: str) -> None:
    assert _imported(program, "--help").isdisjoint(HEAVY)


def test_the_probe_sees_a_heavy_import() -> None:
    assert {"PIL", "numpy"} <= _imported("\nimport operators.decoders.image_decoder")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = make_picture_catalog(str(tmp_path_factory.mktemp("catalog")))
    build_index(BuildSettings(catalog=made.catalog, collection="pictures", index="pictures", num_shards=2))
    return made.catalog


@pytest.mark.parametrize("by", ["code", "key", "image"])
def test_queries_import_no_torch(catalog: str, tmp_path: Path, by: str) -> None:
    image = tmp_path / "3.png"
    image.write_bytes(picture(3))
    value = {"code": "0" * (2 * ((NUM_BITS + 7) // 8)), "key": "3.png", "image": str(image)}[by]
    imported = _imported(RUN_MAIN, "query", "--catalog", catalog, "--index", "pictures", f"--{by}", value)
    assert imported.isdisjoint({"torch", "transformers"})
