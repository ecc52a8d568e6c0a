from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.errors import EmptySource, SourceError, UsageError
from pipeline.records import FailedItem, FetchedItem
from pipeline.sources.item_reader import read_items
from pipeline.sources.media_fetch import fetch_media
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from pipeline.sources.webdataset_samples import MAX_PICTURES_PER_SAMPLE, split_name
from tests.source_samples import MAX_BYTES, picture, sample_members, tar_bytes

Record = FetchedItem | FailedItem


def settings_for(root: Path, data: bytes, **chosen: object) -> SourceSettings:
    (root / "t.tar").write_bytes(data)
    return replace(SourceSettings(uri=str(root / "t.tar")), **chosen)  # type: ignore[arg-type]


def read_all(settings: SourceSettings, max_bytes: int = MAX_BYTES) -> list[Record]:
    return [item for task in open_source(settings).tasks() for item in read_items(task, max_bytes=max_bytes)]


def outcome(records: list[Record]) -> list[tuple[str, str]]:
    return [(item.key, item.reason if isinstance(item, FailedItem) else "ok") for item in records]


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a/b.c/d.e.jpg", ("a/b.c/d", "e.jpg")), ("d.jpg", ("d", "jpg")), ("noext", ("noext", "")), ("a/.x", ("a/", "x"))],
)
def test_names_are_split_at_the_first_dot(name: str, parts: tuple[str, str]) -> None:
    assert split_name(name) == parts


def test_names_are_data(tmp_path: Path) -> None:
    names = ["../../up.png", "/abs.png", "a#b%23.png", "line\nbreak.png"]
    records = read_all(settings_for(tmp_path, tar_bytes([(name, name.encode()) for name in names])))
    assert [item.key for item in records] == [
        "t.tar#../../up.png",
        "t.tar#/abs.png",
        "t.tar#a%23b%2523.png",
        "t.tar#line\nbreak.png",
    ]
    for name, item in zip(names, records, strict=True):
        assert fetch_media(item.uri, max_bytes=100) == name.encode()
    assert [path.name for path in tmp_path.rglob("*")] == ["t.tar"]


@pytest.mark.parametrize(
    ("label_column", "labels"),
    [(None, ["cat", "dog", "eel"]), ("cls", ["cat", "dog", "eel"]), ("stars", ["0", "1", "2"])],
)
def test_labels_come_from_siblings(tmp_path: Path, label_column: str | None, labels: list[str]) -> None:
    settings = settings_for(tmp_path, tar_bytes(sample_members(range(3))), label_column=label_column)
    assert [item.label for item in read_all(settings) if isinstance(item, FetchedItem)] == labels


def test_captions_are_carried(tmp_path: Path) -> None:
    members = [("a.txt", b" A cat.\n"), ("a.png", picture(1)), ("b.png", picture(2)), ("b.txt", b"B"), ("c.png", b"x")]
    settings = settings_for(tmp_path, tar_bytes(members), carry=("txt",))
    carried = [item.carried["txt"] for item in read_all(settings) if isinstance(item, FetchedItem)]
    assert carried == ["A cat.", "B", None]
    assert open_source(settings).carried_types() == {"txt": "string"}


def test_unknown_columns_name_the_known_ones(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, tar_bytes(sample_members(range(3))), label_column="lable")
    with pytest.raises(UsageError, match=r"no sample has 'lable'; known: cls, name, stars"):
        read_all(settings)


def test_bad_members_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    members = [
        ("a.png", b""),
        ("b.png", b"x" * 101),
        ("c.png", b"fine"),
        ("c.png", b"again"),
        ("d.png", b"fine"),
        ("d.json", b"{broken"),
        ("e.png", b"fine"),
        ("e.json", b'{"n": [1]}'),
        ("._e.png", b"left by a Mac"),
        ("notes.txt", b"no picture"),
    ]
    records = read_all(settings_for(tmp_path, tar_bytes(members), carry=("n",)), max_bytes=100)
    assert outcome(records) == [
        ("t.tar#a.png", "empty"),
        ("t.tar#b.png", "too_large"),
        ("t.tar#c.png", "ok"),
        ("t.tar#c.png", "duplicate_key"),
        ("t.tar#d.png", "bad_metadata"),
        ("t.tar#e.png", "ok"),
    ]
    assert isinstance(records[-1], FetchedItem)
    assert records[-1].carried == {"n": "[1]"}


def test_one_stem_for_everything_is_read_in_pieces(tmp_path: Path) -> None:
    names = [f"img.{number:03d}.png" for number in range(2 * MAX_PICTURES_PER_SAMPLE + 3)]
    records = read_all(settings_for(tmp_path, tar_bytes([(name, b"x") for name in names])))
    assert outcome(records) == [(f"t.tar#{name}", "ok") for name in names]


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_tar_is_named_after_what_was_whole(tmp_path: Path, packed: bool) -> None:
    whole = tar_bytes([("a.png", picture(1)), ("b.png", b"x" * 3000)])
    settings = settings_for(tmp_path, whole[:3000])
    if packed:
        # Stored, not compressed, so that the cut loses the end only.
        (tmp_path / "t.tar.gz").write_bytes(gzip.compress(whole, 0)[:3000])
        settings = replace(settings, uri=str(tmp_path / "t.tar.gz"))
    records = read_all(settings)
    tar = Path(settings.uri).name
    assert outcome(records) == [(f"{tar}#a.png", "ok"), (tar, "damaged_tar")]
    assert isinstance(records[-1], FailedItem)
    assert settings.uri in records[-1].detail
    (task,) = open_source(settings).tasks()
    assert list(read_items(task, start=1, max_bytes=MAX_BYTES)) == records[1:]


def test_a_tar_that_changes_under_way_is_refused(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, tar_bytes(sample_members(range(3))))
    (task,) = open_source(settings).tasks()
    reading = read_items(task, max_bytes=MAX_BYTES)
    next(reading)
    settings_for(tmp_path, tar_bytes(sample_members(range(4))))
    with pytest.raises(SourceError, match="changed while it was read"):
        list(reading)


def test_no_tars_is_empty(tmp_path: Path) -> None:
    with pytest.raises(EmptySource, match="no tars"):
        read_all(SourceSettings(uri=str(tmp_path), kind="webdataset"))
