from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.search_api.api_keys import ApiKeys
from pipeline.search_api.key_file import KeyFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def _name_of(keys: KeyFile, key: str) -> str | None:
    entry = keys.entry_of(key)
    return entry.name if entry else None


def test_a_key_works_from_when_it_is_added_until_it_is_removed(path: Path) -> None:
    first, first_key = ApiKeys().with_new("first", "read")
    first.write(path)
    keys = KeyFile(path)
    both, second_key = first.with_new("second", "write")
    assert (_name_of(keys, first_key), _name_of(keys, second_key)) == ("first", None)
    both.write(path)
    assert (_name_of(keys, first_key), _name_of(keys, second_key)) == ("first", "second")
    both.without("first").write(path)
    assert (_name_of(keys, first_key), _name_of(keys, second_key)) == (None, "second")
    both.without("first").without("second").write(path)
    assert _name_of(keys, second_key) is None


@pytest.mark.parametrize("damage", ["{", '{"keys": [{"name": "x"}]}', None])
def test_a_damaged_or_lost_file_changes_nothing_and_is_told_once(
    path: Path, damage: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    good, key = ApiKeys().with_new("only", "read")
    good.write(path)
    keys = KeyFile(path)
    path.unlink() if damage is None else path.write_text(damage)
    with caplog.at_level(logging.ERROR):
        assert [_name_of(keys, key), _name_of(keys, key)] == ["only", "only"]
    assert len(caplog.records) == 1
    assert str(path) in caplog.text
    assert key not in caplog.text
    good.without("only").write(path)
    assert _name_of(keys, key) is None


def test_a_service_does_not_start_without_keys(path: Path) -> None:
    with pytest.raises(UsageError, match=r"key file .*keys\.json"):
        KeyFile(path)
    ApiKeys().write(path)
    with pytest.raises(UsageError, match="holds no key; make one: bitquarry keys add"):
        KeyFile(path)
