"""Aliases: set, history, rollback, and writers that race."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import ConflictError, CorruptFile, UsageError
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.alias import AliasLog, AliasRecord
from tests.pipeline.shard_index.index_examples import flip_byte


def make_log(catalog: Path) -> AliasLog:
    return AliasLog(str(catalog), LocalStore(), "photos", "live")


def generations_of(log: AliasLog) -> list[str]:
    return [record.generation for record in log.history()]


def test_set_and_history(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    assert log.head() is None
    assert log.history() == ()
    for generation in ("a", "b", "b", "c"):
        assert log.point_at(generation).generation == generation
    assert generations_of(log) == ["a", "b", "c"]
    head = log.head()
    assert head is not None
    assert (head.number, head.previous, head.generation) == (3, 2, "c")


def test_rollback_goes_one_change_further_each_time(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for generation in ("a", "b", "c"):
        log.point_at(generation)
    assert [log.rollback().generation for _ in range(2)] == ["b", "a"]
    with pytest.raises(UsageError, match="first generation a; there is nothing to roll back to"):
        log.rollback()
    log.point_at("d")
    assert log.rollback().generation == "a"
    assert generations_of(log) == ["a", "b", "c", "b", "a", "d", "a"]


def test_rollback_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="was never set"):
        make_log(tmp_path).rollback()


def test_racing_writers_each_get_a_number(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        records = list(pool.map(lambda name: make_log(tmp_path).point_at(name), ["a", "b", "c", "d"]))
    assert sorted(record.number for record in records) == [1, 2, 3, 4]
    assert sorted(generations_of(make_log(tmp_path))) == ["a", "b", "c", "d"]


class SlowReader(LocalStore):
    """Another writer takes the next number between our read and our write."""

    def create(self, uri: str, data: bytes) -> None:
        number = int(uri[-13:-5])
        if number > 1:
            LocalStore().create(uri, data.replace(b"change_id", b"change_ID"))
        super().create(uri, data)


def test_a_lost_race_is_a_conflict(tmp_path: Path) -> None:
    make_log(tmp_path).point_at("a")
    log = make_log(tmp_path)
    log.point_at("b")
    with pytest.raises(ConflictError, match="changed by somebody else at the same moment"):
        AliasLog(str(tmp_path), SlowReader(), "photos", "live").rollback()


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.point_at("a")
    path = tmp_path / "aliases" / "photos" / "live" / "00000001.json"
    flip_byte(path, position=60)
    with pytest.raises(CorruptFile, match=r"00000001\.json is corrupt: .*bitquarry alias set"):
        log.head()
    path.unlink()
    with pytest.raises(CorruptFile, match="it is missing"):
        log.read(1)


@pytest.mark.parametrize(("index", "alias"), [("../x", "live"), ("photos", "a/b"), ("photos", "")])
def test_refuses_names(tmp_path: Path, index: str, alias: str) -> None:
    with pytest.raises(UsageError, match="name"):
        AliasLog(str(tmp_path), LocalStore(), index, alias)


def test_a_move_that_lost_is_made_again_from_the_winner(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.point_at("a")
    heads: list[str] = []

    def make(head: AliasRecord | None) -> str:
        assert head is not None
        heads.append(head.generation)
        if len(heads) < 3:
            make_log(tmp_path).point_at(f"other {len(heads)}")
        return f"{head.generation}, changed"

    assert log.move(make).generation == "other 2, changed"
    assert heads == ["a", "other 1", "other 2"]
    assert generations_of(log) == ["a", "other 1", "other 2", "other 2, changed"]
    assert log.move(lambda head: head.generation if head else "").number == 4


def test_a_move_that_always_loses_is_a_conflict(tmp_path: Path) -> None:
    numbers = iter(range(100))

    def make(_: AliasRecord | None) -> str:
        make_log(tmp_path).point_at(f"other {next(numbers)}")
        return "mine"

    with pytest.raises(ConflictError, match="changed by somebody else"):
        make_log(tmp_path).move(make)
    assert "mine" not in generations_of(make_log(tmp_path))
