"""`bitquarry keys` as users run it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from pipeline.search_api.api_keys import ApiKeys
from tests.command_line import run


def test_a_key_is_made_listed_and_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made = json.loads(run("keys", "add", "--file", file, "--name", "ann", "--right", "write", "--json"))
    other = run("keys", "add", "--file", file, "--name", "bob").strip()
    entries = [ApiKeys.read(file).entry_of(key) for key in (made["key"], other)]
    assert [(entry.name, entry.right) for entry in entries if entry] == [("ann", "write"), ("bob", "read")]
    assert made["key"] not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    run("keys", "remove", "--file", file, "--name", "ann")
    assert json.loads(run("keys", "list", "--file", file, "--json")) == [{"name": "bob", "right": "read"}]
    assert ApiKeys.read(file).entry_of(made["key"]) is None


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    run("keys", "list", "--file", file, exit_code=2)
    run("keys", "add", "--file", file, "--name", "ann", "--right", "admin", exit_code=2)
    assert not file.exists()
    run("keys", "add", "--file", tmp_path / "no" / "keys.json", "--name", "ann", exit_code=2)
    run("keys", "add", "--file", file, "--name", "ann")
    run("keys", "add", "--file", file, "--name", "ann", exit_code=2)
