from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from operators.errors import ShapeMismatch
from pipeline.code_shards.item_ids import item_ids
from pipeline.code_shards.shard_writer import write_task
from pipeline.errors import SourceError, UsageError
from pipeline.object_store.local_store import LocalStore
from tests.pipeline.code_shards.shard_examples import (
    ENCODED_AT,
    IDENTITY,
    encoded_rows,
    failed_items,
    random_codes,
    settings_for,
    stored_task,
)


def test_rows_codes_and_ids_are_in_the_file(tmp_path: Path) -> None:
    task = stored_task(str(tmp_path), num_rows=5, num_rejects=2)
    path = tmp_path / "codes" / task.code_file.name
    table = pq.read_table(path)
    assert table["id"].to_pylist() == item_ids(task.task_id, 0, 5).tolist()
    assert table["key"].to_pylist() == [row.key for row in encoded_rows(5)]
    packed = np.frombuffer(b"".join(table["code"].to_pylist()), np.uint8).reshape(5, 3)
    np.testing.assert_array_equal(packed, random_codes(5).packed)
    assert set(table["encoded_at"].to_pylist()) == {ENCODED_AT}
    assert table["pq_code"].null_count == 5
    assert (task.num_rows, task.num_rejects, task.rejects_by_reason) == (5, 2, {"undecodable": 2})
    assert task.code_file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert task.code_file.size_bytes == path.stat().st_size


def test_rejects_have_their_own_file(tmp_path: Path) -> None:
    task = stored_task(str(tmp_path), num_rows=1, num_rejects=2)
    assert task.rejects_file is not None
    rejects = pq.read_table(tmp_path / "rejects" / task.rejects_file.name).to_pylist()
    assert [row["key"] for row in rejects] == ["bad-0.jpg", "bad-1.jpg"]
    assert {row["attempt"] for row in rejects} == {task.attempt}


def test_the_file_says_what_it_is_and_how_it_is_stored(tmp_path: Path) -> None:
    file = pq.ParquetFile(tmp_path / "codes" / stored_task(str(tmp_path), num_rows=5).code_file.name)
    assert file.metadata.metadata == {
        b"schema_version": b"1",
        b"num_bits": b"20",
        b"bit_order": b"msb_first",
        b"code_kind": b"binary",
        b"model_sha256": b"ab" * 32,
        b"settings_sha256": b"cd" * 32,
    }
    group = file.metadata.row_group(0)
    compressions = {group.column(n).path_in_schema: group.column(n).compression for n in range(group.num_columns)}
    assert compressions.pop("code") == "UNCOMPRESSED"
    assert set(compressions.values()) == {"ZSTD"}


def test_same_input_same_bytes_and_another_attempt_another_name(tmp_path: Path) -> None:
    first, again = stored_task(str(tmp_path), num_rows=5), stored_task(str(tmp_path), num_rows=5)
    assert first == again
    retried = stored_task(str(tmp_path), num_rows=5, attempt=2)
    assert retried.code_file.name != first.code_file.name
    assert retried.code_file.sha256 == first.code_file.sha256


def test_a_task_without_a_good_row_still_has_a_shard(tmp_path: Path) -> None:
    task = stored_task(str(tmp_path), num_rows=0, num_rejects=3)
    assert task.code_file.num_rows == 0
    assert pq.read_table(tmp_path / "codes" / task.code_file.name).num_rows == 0


@pytest.mark.parametrize(("num_codes", "num_bits"), [(4, 20), (5, 24)])
def test_codes_must_match_the_rows(tmp_path: Path, num_codes: int, num_bits: int) -> None:
    codes = replace(random_codes(num_codes), num_bits=num_bits)
    with pytest.raises(ShapeMismatch, match=f"got {num_codes} of {num_bits} bits, expected 5 codes of 20 bits"):
        write_task(LocalStore(), settings_for(str(tmp_path), num_items=5), encoded_rows(5), codes, [])
    assert list(tmp_path.iterdir()) == []


def test_missing_items_are_refused(tmp_path: Path) -> None:
    settings = settings_for(str(tmp_path), num_items=7)
    with pytest.raises(UsageError, match="5 rows \\+ 1 rejects, expected 7 items"):
        write_task(LocalStore(), settings, encoded_rows(5), random_codes(5), failed_items(1))
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    rows = encoded_rows(5)
    rows[4] = replace(rows[4], carried={"price": "free", "stock": 1})
    with pytest.raises(SourceError, match=r"'price' of item 'photo-4\.jpg'"):
        write_task(LocalStore(), settings_for(str(tmp_path), num_items=6), rows, random_codes(5), failed_items(1))
    assert list(tmp_path.iterdir()) == []


def test_an_error_inside_the_parquet_writer_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table = pq.ParquetWriter.write_table

    def break_off(writer: pq.ParquetWriter, table: object) -> None:
        write_table(writer, table)
        raise OSError("disk full")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", break_off)
    with pytest.raises(OSError, match="disk full"):
        stored_task(str(tmp_path), num_rows=5, num_rejects=1)
    assert list(tmp_path.iterdir()) == []


def test_identity_is_the_collections(tmp_path: Path) -> None:
    settings = replace(settings_for(str(tmp_path), num_items=1), identity=replace(IDENTITY, carried={}))
    with pytest.raises(SourceError, match=r"carries columns \['price', 'stock'\], expected \[\]"):
        write_task(LocalStore(), settings, encoded_rows(1), random_codes(1), [])
