"""What `dedup` prints, and what an interrupt leaves behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from operators.search import near_pairs
from pipeline.cli import app
from pipeline.jobs import dedup_collection
from pipeline.jobs.build_index import BuildSettings, build_index
from tests.pipeline.jobs.search_examples import make_picture_catalog

INTERRUPTED = 130


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = make_picture_catalog(str(tmp_path_factory.mktemp("catalog")))
    build_index(BuildSettings(catalog=made.catalog, collection="pictures", index="pictures", num_shards=2))
    return made.catalog


def run(monkeypatch: pytest.MonkeyPatch, catalog: str, output: Path, *options: str) -> int:
    words = ["dedup", "-C", catalog, "-i", "pictures", "-r", "2", "-o", str(output), *options]
    monkeypatch.setattr("sys.argv", ["bitquarry", *words])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_one_line_or_one_object(
    catalog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, catalog, tmp_path, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["num_items"] == report["num_kept"] + report["num_removed"] == 20
    assert (report["index"], report["against"], report["radius"]) == ("pictures", None, 2)
    assert run(monkeypatch, catalog, tmp_path) == 0
    (line,) = capsys.readouterr().out.splitlines()
    expected = f"index pictures: 20 items, {report['num_pairs']} pairs, {report['num_clusters']} clusters, "
    assert line.startswith(f"{expected}{report['num_kept']} kept, {report['num_removed']} to remove, ")
    assert line.endswith(str(tmp_path))


@pytest.mark.parametrize(
    ("module", "step"), [(near_pairs, "near_pairs_of_places"), (dedup_collection, "write_clusters")]
)
def test_control_c_leaves_nothing_half_written(
    catalog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    """A SIGINT while pairs are compared, and one while files are written."""
    whole = getattr(module, step)

    def interrupted(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return whole(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(module, step, interrupted)
        assert run(patched, catalog, tmp_path / "out") == INTERRUPTED
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert run(monkeypatch, catalog, tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"clusters.parquet", "pairs.parquet", "review.html"}
