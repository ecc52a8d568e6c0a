"""Keys: what is kept of them, who gets in, and what a key file may not be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.search_api.api_keys import ApiKeys, KeyEntry


def test_a_key_opens_for_its_name_and_is_nowhere_kept(tmp_path: Path) -> None:
    keys, reader = ApiKeys().with_new("reader", "read")
    keys, writer = keys.with_new("writer", "write")
    path = tmp_path / "keys.json"
    keys.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text(encoding="utf-8")
    assert reader not in text
    assert writer not in text
    read_back = ApiKeys.read(path)
    found = [read_back.entry_of(key) for key in (reader, writer, reader + "x", "", "\udcff")]
    assert [(entry.name, entry.right) if entry else None for entry in found] == [
        ("reader", "read"),
        ("writer", "write"),
        None,
        None,
        None,
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]


def test_no_keys_let_nobody_in() -> None:
    assert len(ApiKeys()) == 0
    assert ApiKeys().entry_of("") is None


def test_a_removed_key_does_not_open() -> None:
    keys, key = ApiKeys().with_new("one", "read")
    assert keys.without("one").entry_of(key) is None
    with pytest.raises(UsageError, match="no key named 'two'; known: one"):
        keys.without("two")
    with pytest.raises(UsageError, match="'one' exists"):
        keys.with_new("one", "write")


def test_two_keys_differ() -> None:
    assert ApiKeys().with_new("one", "read")[1] != ApiKeys().with_new("one", "read")[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no key file"),
        ("[]", "is no key file"),
        ('{"keys": [{"name": "a"}]}', "is no key file"),
        (json.dumps({"keys": [{"name": "a", "right": "all", "sha256": "0" * 64}]}), "right 'all'"),
        (json.dumps({"keys": [{"name": "a", "right": "read", "sha256": "bq_secret"}]}), "expected a sha256"),
        (json.dumps({"keys": [{"name": "", "right": "read", "sha256": "0" * 64}]}), "1 to 64 printable"),
    ],
)
def test_refuses_what_is_no_key_file(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        ApiKeys.read(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory; make one: bitquarry keys add"):
        ApiKeys.read(tmp_path / "none.json")


def test_an_entry_does_not_show_a_key() -> None:
    keys, key = ApiKeys().with_new("one", "read")
    entry = keys.entry_of(key)
    assert isinstance(entry, KeyEntry)
    assert key not in repr(entry)
