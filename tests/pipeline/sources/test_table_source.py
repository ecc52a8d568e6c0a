from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from pipeline.errors import EmptySource, SourceError, UsageError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.media_fetch import fetch_media
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.source_samples import picture_table

Record = FetchedItem | FailedItem


def settings_for(root: Path, table: pa.Table, **chosen: Any) -> SourceSettings:
    pq.write_table(table, root / "t.parquet", row_group_size=4)
    return replace(SourceSettings(uri=str(root / "t.parquet")), **chosen)


def read_all(settings: SourceSettings, max_bytes: int = 100) -> list[Record]:
    return [item for task in open_source(settings).tasks() for item in read_items(task, max_bytes=max_bytes)]


def reasons(records: list[Record]) -> list[str]:
    return [getattr(item, "reason", "ok") for item in records]


def test_bad_cells_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    table = pa.table({"image": [b"a", None, b"", b"x" * 101, b"b"], "key": ["1", "2", "3", "4", None]})
    records = read_all(settings_for(tmp_path, table, key_column="key"))
    assert reasons(records) == ["ok", "null", "empty", "too_large", "null"]
    assert [item.key for item in records] == ["1", "2", "3", "4", "t.parquet#row=4"]


def test_uris_may_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "near.jpg").write_bytes(b"near")
    (tmp_path / "a#b %41.jpg").write_bytes(b"odd")
    far = tmp_path / "far" / "c d.jpg"
    far.parent.mkdir()
    far.write_bytes(b"far")
    uris = ["near.jpg", str(far), far.as_uri(), "a#b %41.jpg", "gone.jpg", None, "", "http://x/y.jpg", "s3://", "far"]
    records = read_all(settings_for(tmp_path, pa.table({"uri": uris}), uri_column="uri"))
    assert reasons(records) == [
        *["ok"] * 4,
        *["not_found", "null", "bad_uri", "unsupported_uri", "bad_uri", "not_found"],
    ]
    good = [item for item in records if isinstance(item, FetchedItem)]
    assert [item.data for item in good] == [b"near", b"far", b"far", b"odd"]
    assert [fetch_media(item.uri, max_bytes=9) for item in good] == [item.data for item in good]


def test_fields_of_structs_are_columns(tmp_path: Path) -> None:
    table = pa.table({"image": [{"bytes": b"a", "path": "p"}, None, {"bytes": None, "path": "q"}], "label": [1, 2, 3]})
    settings = settings_for(tmp_path, table, carry=("image.path",), label_column="label")
    records = read_all(settings)
    assert reasons(records) == ["ok", "null", "null"]
    assert isinstance(records[0], FetchedItem)
    assert (records[0].data, records[0].carried, records[0].label) == (b"a", {"image.path": "p"}, "1")
    assert fetch_media(records[0].uri, max_bytes=9) == b"a"


WRONG_COLUMNS = [
    ({"bytes_column": "imge"}, "no column 'imge'; known: image, name, label, stars"),
    ({"carry": ("nme",)}, "no column 'nme'; known: image"),
    ({"label_column": "lable"}, "no column 'lable'"),
    ({"bytes_column": "name"}, "'name' is string, expected binary; for a column of paths or URIs give uri_column"),
    ({"uri_column": "stars"}, "uri_column 'stars' is int32, expected string"),
    ({"carry": ("image",)}, "carry 'image' is binary, expected string or int64 or double or bool"),
]


@pytest.mark.parametrize(("chosen", "message"), WRONG_COLUMNS)
def test_wrong_columns_are_named(tmp_path: Path, chosen: dict[str, Any], message: str) -> None:
    settings = settings_for(tmp_path, picture_table(range(3)), **chosen)
    for use in (read_all, lambda settings: open_source(settings).carried_types()):
        with pytest.raises(UsageError, match=message):
            use(settings)


def test_several_columns_of_bytes_are_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"2 columns of bytes: a, b; say which"):
        read_all(settings_for(tmp_path, pa.table({"a": [b"x"], "b": [b"y"]})))


def test_extension_types_are_refused(tmp_path: Path) -> None:
    marked = pa.field("e", pa.int32(), metadata={"ARROW:extension:name": "evil.type"})
    nested = pa.struct([pa.field("inner", pa.int32(), metadata={"ARROW:extension:name": "evil.type"})])
    for field in (marked, pa.field("n", nested), pa.field("u", pa.uuid()), pa.field("l", pa.list_(marked))):
        schema = pa.schema([("image", pa.binary()), field])
        table = pa.table([pa.array([b"x"]), pa.nulls(1, field.type)], schema=schema)
        with pytest.raises(SourceError, match="extension type, which is never read"):
            read_all(settings_for(tmp_path, table))


def test_row_groups_are_joined_and_cut(tmp_path: Path) -> None:
    table = pa.table({"image": [b"%d" % number for number in range(100)]})

    def rows(row_group_size: int, task_items: int) -> list[int]:
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=row_group_size)
        settings = SourceSettings(uri=str(tmp_path / "t.parquet"), task_items=task_items)
        records = read_all(settings)
        assert [item.data for item in records if isinstance(item, FetchedItem)] == [b"%d" % n for n in range(100)]
        return [task.num_items or 0 for task in open_source(settings).tasks()]

    assert rows(10, 25) == [20] * 5
    assert rows(100, 30) == [25] * 4
    assert len(rows(100, 1)) == 16  # so that no row group is read a hundred times
    assert rows(1000, 1000) == [100]


def test_damaged_pages_reject_their_rows_only(tmp_path: Path) -> None:
    table = pa.table({"image": [bytes([number]) * 50 for number in range(8)]})
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=4, write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[data.index(bytes([6]) * 50)] ^= 1
    path.write_bytes(data)
    records = read_all(SourceSettings(uri=str(path), task_items=4))
    assert reasons(records) == ["ok"] * 4 + ["corrupt"] * 4
    assert all(isinstance(item, FailedItem) and str(path) in item.detail for item in records[4:])


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    settings_for(tmp_path, picture_table(range(3)))
    (tmp_path / "z.parquet").write_bytes(b"not Parquet")
    with pytest.raises(SourceError, match=r"z\.parquet: cannot be read as Parquet"):
        read_all(SourceSettings(uri=str(tmp_path)))


def test_files_that_disagree_are_named(tmp_path: Path) -> None:
    pq.write_table(picture_table(range(2)), tmp_path / "a.parquet")
    other = picture_table(range(2)).set_column(3, "stars", pa.array(["many", "few"]))
    pq.write_table(other, tmp_path / "b.parquet")
    with pytest.raises(SourceError, match=r"b\.parquet: column 'stars' holds string, in the first file .* int64"):
        read_all(SourceSettings(uri=str(tmp_path), carry=("stars",)))
    pq.write_table(other.drop_columns(["stars"]), tmp_path / "b.parquet")
    with pytest.raises(UsageError, match=r"b\.parquet: no column 'stars'.*every file of a table"):
        read_all(SourceSettings(uri=str(tmp_path), carry=("stars",)))


def test_partition_values_are_columns(tmp_path: Path) -> None:
    table = pa.table({"image": [b"a", b"b", b"c"], "kind": ["x y", "50%#", None], "year": [1, 2, 3]})
    write_deltalake(tmp_path / "t", table, partition_by=["kind", "year"])
    settings = SourceSettings(uri=str(tmp_path / "t"), label_column="kind", carry=("year",))
    items = [item for item in read_all(settings) if isinstance(item, FetchedItem)]
    assert {(item.data, item.label, item.carried["year"]) for item in items} == {
        (b"a", "x y", 1),
        (b"b", "50%#", 2),
        (b"c", None, 3),
    }
    assert [fetch_media(item.uri, max_bytes=9) for item in items] == [item.data for item in items]


def test_only_live_files_of_a_delta_table_count(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "t", pa.table({"image": [b"old"]}))
    write_deltalake(tmp_path / "t", pa.table({"image": [b"new"]}), mode="overwrite")
    settings = SourceSettings(uri=str(tmp_path / "t"))
    assert [item.data for item in read_all(settings) if isinstance(item, FetchedItem)] == [b"new"]


def test_appending_leaves_the_digests_of_other_files(tmp_path: Path) -> None:
    pq.write_table(picture_table(range(3)), tmp_path / "a.parquet")
    source = open_source(SourceSettings(uri=str(tmp_path)))
    before = [task.digest for task in source.tasks()]
    pq.write_table(picture_table(range(3)), tmp_path / "b.parquet")
    assert [task.digest for task in source.tasks()][:1] == before
    asked = open_source(SourceSettings(uri=str(tmp_path), carry=("stars",)))
    assert {task.digest for task in asked.tasks()}.isdisjoint(before)


def test_no_rows_is_empty(tmp_path: Path) -> None:
    for settings in (
        settings_for(tmp_path, picture_table([0]).slice(0, 0)),
        SourceSettings(uri=str(tmp_path), kind="table"),
    ):
        with pytest.raises(EmptySource, match="no rows"):
            read_all(replace(settings, bytes_column="image"))
