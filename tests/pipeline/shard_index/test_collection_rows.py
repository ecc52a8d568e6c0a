"""Rows come out of the real code table in id order, with the columns that an answer needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import CorruptFile
from pipeline.object_store.local_store import LocalStore
from pipeline.shard_index.collection_rows import read_rows
from tests.pipeline.jobs.search_examples import make_picture_catalog


def test_ids_ascend_across_files(tmp_path: Path) -> None:
    pictures = make_picture_catalog(str(tmp_path))
    codes, ids, keys = pictures.rows()
    assert np.all(np.diff(ids) > 0)
    assert sorted(keys) == sorted(f"{number}.png" for number in range(20))
    assert len(codes) == 20


def test_reads_one_version_and_the_needed_columns(tmp_path: Path) -> None:
    table = make_picture_catalog(str(tmp_path)).table
    (rows,) = list(read_rows(LocalStore(), table, table.snapshot()))[:1]
    assert {"id", "code", "key", "uri", "label", "width", "media_type"} <= set(rows.column_names)
    assert {"content_sha256", "task_id", "encoded_at", "pq_code"}.isdisjoint(rows.column_names)
    assert list(read_rows(LocalStore(), table, table.snapshot(0))) == []


def test_a_damaged_code_file_is_named(tmp_path: Path) -> None:
    table = make_picture_catalog(str(tmp_path)).table
    shard = table.snapshot().shards[1]
    path = Path(table.shard_uri(shard))
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(CorruptFile, match=shard.name.file_name):
        list(read_rows(LocalStore(), table, table.snapshot()))
