"""`index prune` says what goes, and with --dry-run only says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import app
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.index_catalog import IndexCatalog
from tests.pipeline.shard_index.index_examples import build_example, make_corpus


@pytest.fixture
def generations(tmp_path: Path) -> list[str]:
    return [build_example(tmp_path, make_corpus(6)).generation for _ in range(4)]


def typed(words: str, catalog: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What `bitquarry index prune` says."""
    monkeypatch.setattr("sys.argv", ["bitquarry", "index", "prune", *words.split(), "-C", str(catalog), "-i", "photos"])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_what_it_says(
    tmp_path: Path, generations: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prune(words: str) -> str:
        return typed(words, tmp_path, monkeypatch, capsys)

    def left() -> list[str]:
        return list(IndexCatalog(str(tmp_path), LocalStore()).generations("photos"))

    assert prune("") == "index photos: nothing to remove, 4 generations kept\n"
    facts: dict[str, Any] = json.loads(prune("--grace-hours 0 --dry-run --json"))
    assert (facts["kept"], facts["removed"], facts["dry_run"]) == (generations[2:], generations[:2], True)
    assert (facts["num_files"], facts["bytes"] > 1000) == (20, True)
    assert prune("--grace-hours 0 --dry-run").startswith(f"would go: {generations[0]}\nwould go: {generations[1]}\n")
    assert left() == generations
    said = prune("--grace-hours 0 --rollbacks 2").splitlines()
    assert said == [f"removed: {generations[0]}", "index photos: 10 files of 0.0 MB removed, 3 generations kept"]
    assert left() == generations[1:]
    assert json.loads(prune("--grace-hours 0 --rollbacks 0 --json"))["removed"] == generations[1:3]
    assert left() == generations[3:]
