"""What only files do: links, pipes, permissions, full disks, killed writers."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.local_store import TEMPORARY_PREFIX, LocalStore

NAMES = st.text(st.sampled_from("aB-./é~ "), min_size=1, max_size=4).filter(
    lambda name: "/" not in name and name not in (".", "..")
)
NOBODY = 65534


def names_below(folder: Path) -> list[str]:
    return [info.uri.removeprefix(f"{folder}/") for info in LocalStore().list(str(folder))]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12))
def test_listing_equals_sorting_all_keys(keys: set[str]) -> None:
    keys = {key for key in keys if not any(other.startswith(f"{key}/") for other in keys)}
    with tempfile.TemporaryDirectory() as folder:
        for key in keys:
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        assert names_below(Path(folder)) == sorted(keys, key=os.fsencode)


def test_links_to_files_are_files_and_dangling_ones_are_listed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"four")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "nowhere").symlink_to(tmp_path / "missing")
    listed = {info.uri: info for info in LocalStore().list(str(folder))}
    assert list(listed) == [str(folder / "link"), str(folder / "nowhere")]
    assert listed[str(folder / "link")].size_bytes == 4
    assert LocalStore().read(str(folder / "link"), if_etag=listed[str(folder / "link")].etag) == b"four"
    with pytest.raises(ObjectNotFound):
        LocalStore().read(str(folder / "nowhere"))


def test_a_link_to_a_folder_stops_the_listing(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(StorageError, match=r"loop: is a link to a folder; list that folder by its own path"):
        names_below(tmp_path)


def test_the_listed_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names_below(tmp_path / "link") == ["a"]


def test_a_pipe_is_listed_and_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert names_below(tmp_path) == ["pipe"]
    with pytest.raises(StorageError, match="pipe: is a pipe, socket or device; expected a file"):
        LocalStore().read(str(tmp_path / "pipe"))


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder of a user whom permissions bind, who runs the test; root may read everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(0)


def test_an_unreadable_folder_is_no_end_of_list(unprivileged_folder: Path) -> None:
    for name in ("a", "locked", "z"):
        (unprivileged_folder / name).mkdir()
        (unprivileged_folder / name / "file").touch()
    (unprivileged_folder / "locked").chmod(0)
    listing = LocalStore().list(str(unprivileged_folder))
    assert next(listing).uri.endswith("/a/file")
    with pytest.raises(StorageError, match=r"/locked: list failed: Permission denied"):
        list(listing)
    (unprivileged_folder / "locked").chmod(0o700)


def test_a_read_only_folder_is_named(unprivileged_folder: Path) -> None:
    unprivileged_folder.chmod(0o500)
    for store in (LocalStore().write, LocalStore().create):
        with pytest.raises(StorageError, match=rf"{unprivileged_folder}/a: .* failed: Permission denied"):
            store(f"{unprivileged_folder}/a", b"x")
    unprivileged_folder.chmod(0o700)


@pytest.mark.parametrize("operation", ["write", "create"])
def test_a_disk_quota_is_named_and_leaves_nothing(tmp_path: Path, operation: str) -> None:
    uri = str(tmp_path / "a")
    LocalStore().write(uri, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match=rf"{uri}: {operation} failed: {os.strerror(errno.EFBIG)}"):
            getattr(LocalStore(), operation)(uri, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert LocalStore().read(uri) == b"old"


KILLED_WRITER = """
import os, signal, sys
from pipeline.object_store import local_store
kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[3] == "sync": local_store.os.fsync = kill
if sys.argv[3] == "publish": local_store.os.link = local_store.Path.replace = kill
getattr(local_store.LocalStore(), sys.argv[1])(sys.argv[2], bytes(100_000))
"""


@pytest.mark.parametrize(("operation", "moment"), [("write", "sync"), ("write", "publish"), ("create", "publish")])
def test_a_killed_writer_leaves_no_visible_file(tmp_path: Path, operation: str, moment: str) -> None:
    uri = str(tmp_path / "a")
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, operation, uri, moment], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name.startswith(TEMPORARY_PREFIX) for path in tmp_path.iterdir()] == [True]
    assert names_below(tmp_path) == []
    with pytest.raises(ObjectNotFound):
        LocalStore().read(uri)
    LocalStore().create(uri, b"whole")
    assert LocalStore().read(uri) == b"whole"


def test_a_file_growing_under_the_reader_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first")
    real_fstat = os.fstat

    def grow_after_first_look(descriptor: int) -> os.stat_result:
        status = real_fstat(descriptor)
        with path.open("ab") as file:
            file.write(b" second")
        return status

    monkeypatch.setattr("pipeline.object_store.local_store.os.fstat", grow_after_first_look)
    with pytest.raises(StorageError, match="changed while it was read"):
        LocalStore().read(str(path))


@pytest.mark.parametrize("uri", ["", "s3://bucket/a", "file:///a", "a\0b"])
def test_only_local_paths_are_taken(uri: str) -> None:
    with pytest.raises(StorageError, match="expected a local path"):
        LocalStore().write(uri, b"x")
