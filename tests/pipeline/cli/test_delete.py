"""`delete` asks on a terminal, says what it did, and hands out the documented exit codes; `index add` and `compact`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import app
from tests import command_line
from tests.pipeline.jobs.growing_pictures import build, commit_pictures
from tests.pipeline.jobs.search_examples import PictureCatalog, make_picture_catalog

OK, FAILED, DONE_WITH_REJECTS = 0, 1, 3


@pytest.fixture
def pictures(tmp_path: Path) -> PictureCatalog:
    made = make_picture_catalog(str(tmp_path / "catalog"))
    build(made)
    return made


class Desk:
    """Types commands in this process."""

    def __init__(
        self, pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._pictures, self._monkeypatch, self._capsys = pictures, monkeypatch, capsys

    def __call__(self, words: str, exit_code: int = OK) -> tuple[str, str]:
        typed = ["bitquarry", *words.split(), "-C", self._pictures.catalog, "-i", "photos"]
        self._monkeypatch.setattr("sys.argv", typed)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app.main()
        assert ended.value.code == exit_code
        output, complaints = self._capsys.readouterr()
        return output, complaints

    def json(self, words: str, exit_code: int = OK) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self(f"{words} --json", exit_code)[0])
        return facts


@pytest.fixture
def desk(pictures: PictureCatalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(pictures, monkeypatch, capsys)


def test_what_it_says(desk: Desk, pictures: PictureCatalog, tmp_path: Path) -> None:
    _, ids, keys = pictures.rows()
    named = {key: int(item) for item, key in zip(ids, keys, strict=True)}
    (tmp_path / "ids.txt").write_text(f"{named['5.png']}\n\n {named['6.png']} \n")
    dry = desk.json(f"delete --key 3.png --ids-file {tmp_path}/ids.txt --dry-run")
    assert (dry["index"], dry["num_deleted"], dry["not_found"], dry["dry_run"]) == ("photos", 3, [], True)
    output, _ = desk("delete --key 3.png --key 4.png --dry-run")
    assert "2 items would be deleted" in output
    done = desk.json(f"delete --key 3.png --ids-file {tmp_path}/ids.txt --yes")
    assert (done["num_deleted"], done["dry_run"]) == (3, False)
    assert done["generation"] != dry["generation"]
    output, complaints = desk("delete --key 3.png --yes")
    assert ("nothing to delete that was not deleted before" in output, complaints) == (True, "")
    output, complaints = desk(f"delete --key nope --id 5 --id {named['7.png']} --yes", DONE_WITH_REJECTS)
    assert "1 item deleted" in output
    assert "2 of the ids and keys name no item: 5, nope" in complaints


def test_add_and_compact_say_what_they_did(desk: Desk, pictures: PictureCatalog) -> None:
    assert "nothing new; collection version 1, 20 items" in desk("index add")[0]
    commit_pictures(pictures, [20, 21], task=20)
    added = desk.json("index add")
    assert (added["num_added"], added["num_rows"], added["num_delta_shards"], added["changed"]) == (2, 22, 1, True)
    desk("delete --key 20.png --yes")
    commit_pictures(pictures, [22], task=22)
    assert "1 row added, 0 removed; collection version 3, 22 items; alias 'live'" in desk("index add")[0]
    compacted = desk.json("index compact")
    assert (compacted["num_rows"], compacted["num_shards"], compacted["table_version"]) == (22, 2, 3)
    assert desk.json("index compact")["generation"] == compacted["generation"]


def typed(pictures: PictureCatalog, words: Sequence[str], answer: str) -> tuple[int, str]:
    """The command on a terminal of its own, with an answer typed; exit code and what it printed."""
    terminal, stdin = os.openpty()
    command = [*command_line.COMMAND, *words, "-C", pictures.catalog, "-i", "photos"]
    os.write(terminal, f"{answer}\n".encode())
    try:
        ended = subprocess.run(
            command, stdin=stdin, capture_output=True, text=True, env=command_line.environment(), timeout=60
        )
    finally:
        os.close(stdin)
        os.close(terminal)
    return ended.returncode, ended.stdout + ended.stderr


def test_it_asks_on_a_terminal(pictures: PictureCatalog, desk: Desk) -> None:
    exit_code, said = typed(pictures, ["delete", "--key", "3.png", "--key", "4.png"], "n")
    assert (exit_code, "Delete 2 items of index photos for good?" in said) == (FAILED, True)
    assert "nothing was deleted" in said
    assert desk.json("delete --key 3.png --dry-run")["num_deleted"] == 1
    exit_code, said = typed(pictures, ["delete", "--key", "3.png"], "y")
    assert (exit_code, "1 item deleted" in said) == (OK, True)
    assert desk.json("delete --key 3.png --dry-run")["num_deleted"] == 0
