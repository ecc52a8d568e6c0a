from __future__ import annotations

import os
from pathlib import Path

import boto3
import pytest

from pipeline.errors import EmptySource, SourceError, SourceNotFound, StorageError, UsageError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.folder_source import FolderSource, folder_label
from pipeline.sources.item_reader import read_items
from pipeline.sources.media_fetch import fetch_media
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.fault_proxy import Fault, FaultProxy
from tests.s3_server import S3Server


def read_all(uri: str | Path, max_bytes: int = 100) -> list[FetchedItem | FailedItem]:
    source = open_source(SourceSettings(uri=str(uri), kind="folder"))
    return [item for task in source.tasks() for item in read_items(task, max_bytes=max_bytes)]


def keys(uri: str | Path) -> list[str]:
    return [item.key for item in read_all(uri)]


def write(root: Path, *names: str, data: bytes = b"x") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def test_chooses_pictures_by_extension_in_order_of_whole_keys(tmp_path: Path) -> None:
    write(tmp_path, "b/1.jpg", "b-c/1.JPEG", "b.png", "a.gif", "z.Webp", "é.avif", "y.bmp")
    write(tmp_path, "a.txt", "b/jpg", ".hidden.jpg", ".git/a.jpg", "c.jpg.part", "b/.jpg")
    source = FolderSource(str(tmp_path), SourceSettings(uri=str(tmp_path)))
    found = [item.key for task in source.tasks() for item in read_items(task, max_bytes=9)]
    assert found == ["a.gif", "b-c/1.JPEG", "b.png", "b/1.jpg", "y.bmp", "z.Webp", "é.avif"]
    assert source.num_other_files == 3


ODD_NAMES = ["a b.jpg", "a#b.jpg", "a#", "line\nbreak.jpg", "50%2F50.jpg", "e\u0301.jpg", "é.jpg", "x.tar#y.jpg"]


def test_odd_names_stay_verbatim(tmp_path: Path) -> None:
    names = [name for name in ODD_NAMES if name.endswith(".jpg")]
    for name in names:
        write(tmp_path, name, data=name.encode())
    items = [item for item in read_all(tmp_path) if isinstance(item, FetchedItem)]
    assert {item.key for item in items} == set(names)
    for item in items:
        assert item.data == item.key.encode() == fetch_media(item.uri, max_bytes=100)


def test_odd_s3_keys_stay_verbatim(s3_server: S3Server) -> None:
    names = [*ODD_NAMES, "a/../b.jpg", "./c.jpg", "d//e.jpg", "..", "f/", "k" * 990 + ".jpg"]
    client = boto3.client("s3")
    for name in names:
        client.put_object(Bucket=s3_server.bucket, Key=f"p/{name}", Body=name.encode() or b"-")
    client.put_object(Bucket=s3_server.bucket, Key="p2/not-below.jpg", Body=b"x")
    items = [item for item in read_all(f"{s3_server.uri}/p/", 1100) if isinstance(item, FetchedItem)]
    assert [item.key for item in items] == sorted(
        (name for name in names if name.endswith(".jpg")), key=lambda name: name.encode()
    )
    for item in items:
        assert item.data == item.key.encode() == fetch_media(item.uri, max_bytes=1100)


def test_a_name_that_is_not_utf8_is_rejected_and_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff.jpg")).write_bytes(b"x")
    good, bad = read_all(tmp_path)
    assert isinstance(good, FetchedItem)
    assert isinstance(bad, FailedItem)
    assert (bad.key, bad.reason) == ("b\\xff.jpg", "name_not_utf8")


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, "root/cat/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "root/cat/loop").symlink_to(tmp_path / "root")
    (tmp_path / "root/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root/self.jpg").symlink_to("self.jpg")
    (tmp_path / "root/gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "alias").symlink_to(tmp_path / "root")
    for root in ("root", "alias"):
        records = {item.key: item for item in read_all(tmp_path / root)}
        assert sorted(records) == ["cat/1.jpg", "dog/2.jpg", "gone.jpg", "self.jpg"]
        assert [getattr(records[key], "reason", "") for key in sorted(records)] == ["", "", "not_found", "unreadable"]


def test_bad_files_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "good.jpg", "removed.jpg", "rewritten.jpg")
    write(tmp_path, "empty.jpg", data=b"")
    write(tmp_path, "huge.jpg", data=b"x" * 101)
    os.mkfifo(tmp_path / "pipe.jpg")
    tasks = list(open_source(SourceSettings(uri=str(tmp_path))).tasks())
    (tmp_path / "removed.jpg").unlink()
    write(tmp_path, "rewritten.jpg", data=b"other")
    records = {item.key: item for task in tasks for item in read_items(task, max_bytes=100)}
    reasons = {key: item.reason for key, item in records.items() if isinstance(item, FailedItem)}
    assert reasons == {
        "empty.jpg": "empty",
        "huge.jpg": "too_large",
        "pipe.jpg": "unreadable",
        "removed.jpg": "not_found",
        "rewritten.jpg": "changed",
    }
    assert isinstance(records["good.jpg"], FetchedItem)


def test_a_source_that_went_away_is_no_bad_picture(tmp_path: Path) -> None:
    write(tmp_path, "root/1.jpg")
    (task,) = open_source(SourceSettings(uri=str(tmp_path / "root"))).tasks()
    (tmp_path / "root").rename(tmp_path / "unmounted")
    with pytest.raises(SourceNotFound, match="root: no such file or folder"):
        list(read_items(task, max_bytes=100))


def test_a_folder_that_fails_while_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a/1.jpg", "b/1.jpg")
    scandir = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match="/b: cannot list this folder: Permission denied"):
        keys(tmp_path)


@pytest.mark.parametrize(
    ("key", "label"), [("cat/1.jpg", "cat"), ("cat/inner/1.jpg", "cat"), ("1.jpg", None), ("//1.jpg", None)]
)
def test_the_label_is_the_first_folder(key: str, label: str | None) -> None:
    assert folder_label(key) == label


def test_nothing_to_encode_is_told(tmp_path: Path, s3_server: S3Server) -> None:
    write(tmp_path, "notes.txt")
    with pytest.raises(EmptySource, match="no pictures among 1 files; expected names ending in jpg, jpeg"):
        keys(tmp_path)
    with pytest.raises(EmptySource, match="no pictures among 0 files"):
        keys(f"{s3_server.uri}/nothing")
    with pytest.raises(SourceNotFound, match="bucket s3://no-such-bucket"):
        keys("s3://no-such-bucket/x")


def test_columns_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg")
    with pytest.raises(UsageError, match="label_column = x, but a folder of pictures has no columns"):
        open_source(SourceSettings(uri=str(tmp_path), label_column="x"))


def test_a_failing_store_raises_and_a_missing_object_does_not(fault_proxy: FaultProxy, s3_server: S3Server) -> None:
    client = boto3.client("s3")
    for number in range(3):
        client.put_object(Bucket=s3_server.bucket, Key=f"{number}.jpg", Body=b"x")
    (task,) = open_source(SourceSettings(uri=s3_server.uri)).tasks()
    client.delete_object(Bucket=s3_server.bucket, Key="0.jpg")
    assert [getattr(item, "reason", "") for item in read_items(task, max_bytes=9)] == ["not_found", "", ""]
    fault_proxy.plan([Fault(action="status", method="GET", target=".*/1.jpg.*", status=400, code="ExpiredToken")])
    with pytest.raises(StorageError, match="credentials have expired"):
        list(read_items(task, max_bytes=9))


def test_a_failed_page_is_no_end_of_list(fault_proxy: FaultProxy, s3_server: S3Server) -> None:
    boto3.client("s3").put_object(Bucket=s3_server.bucket, Key="0.jpg", Body=b"x")
    source = open_source(SourceSettings(uri=s3_server.uri, kind="folder"))
    fault_proxy.plan([Fault(action="status", method="GET", target=".*list-type=2.*", status=403, code="AccessDenied")])
    with pytest.raises(StorageError, match="AccessDenied"):
        list(source.tasks())
