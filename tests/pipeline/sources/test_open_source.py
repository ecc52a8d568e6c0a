from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError, SettingsError, SourceNotFound, UsageError
from pipeline.sources.open_source import open_source
from pipeline.sources.source_settings import SourceSettings
from tests.s3_server import S3Server
from tests.source_samples import SAMPLE_KINDS, at, upload

CLASSES = {
    "folder": "FolderSource",
    "table": "TableSource",
    "delta": "TableSource",
    "webdataset": "WebdatasetSource",
    "idx": "IdxSource",
    "cifar10": "Cifar10Source",
}


@pytest.mark.parametrize("kind", CLASSES)
def test_the_kind_is_seen_from_the_files(kind: str, tmp_path: Path) -> None:
    settings = SAMPLE_KINDS[kind].write(tmp_path / "source")
    assert type(open_source(settings)).__name__ == CLASSES[kind]


@pytest.mark.parametrize("kind", ["delta", "webdataset"])
def test_the_kind_is_seen_on_s3(kind: str, tmp_path: Path, s3_server: S3Server) -> None:
    settings = SAMPLE_KINDS[kind].write(tmp_path / "source")
    settings = at(settings, upload(tmp_path / "source", s3_server) + "/")
    assert type(open_source(settings)).__name__ == CLASSES[kind]
    assert open_source(settings).uri == f"{s3_server.uri}/source"


def test_a_mixed_folder_is_not_guessed(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "list.parquet"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UsageError, match=r"could be read as folder \(1\.jpg\), table \(list\.parquet\); say which"):
        open_source(SourceSettings(uri=str(tmp_path)))
    assert type(open_source(SourceSettings(uri=str(tmp_path), kind="folder"))).__name__ == "FolderSource"


@pytest.mark.parametrize(
    ("uri", "error", "message"),
    [
        ("no/such/folder", SourceNotFound, "no/such/folder: no such file or folder"),
        ("ftp://host/x", UsageError, "cannot be read as a source; give a path or s3://bucket/prefix"),
        ("", UsageError, "cannot be read as a source"),
        ("s3://", UsageError, "names no bucket"),
        ("notes.txt", UsageError, "no source of a known kind"),
        ("cat.jpg", UsageError, "this is one picture; give the folder it lies in"),
    ],
)
def test_what_cannot_be_opened_is_named(
    uri: str, error: type[PipelineError], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "cat.jpg").write_text("x")
    with pytest.raises(error, match=message) as raised:
        open_source(SourceSettings(uri=uri))
    assert raised.value.exit_code == 2
    assert "\n" not in str(raised.value)


def test_a_missing_bucket_is_named(s3_server: S3Server) -> None:
    with pytest.raises(SourceNotFound, match="bucket s3://no-such-bucket"):
        open_source(SourceSettings(uri="s3://no-such-bucket/x"))


def test_relative_paths_and_file_urls_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    for uri in ("a b", "./a b/", str(folder), folder.as_uri()):
        assert open_source(SourceSettings(uri=uri, kind="folder")).uri == str(folder)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"kind": "zip"}, "source kind 'zip': expected auto, folder, table"),
        ({"task_items": 0}, "task_items = 0: expected 1 to 200,000"),
        ({"bytes_column": "a", "uri_column": "b"}, "both given"),
        ({"carry": ("a", "a")}, "names a column twice"),
    ],
)
def test_wrong_settings_are_named(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        SourceSettings(uri="x", **chosen)
