"""`LocalStore`: objects as files of a local or mounted folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from operators.errors import MediaTooLarge
from pipeline.errors import ObjectExists, ObjectNotFound, StorageError
from pipeline.object_store.object_store import ObjectInfo, ObjectStore
from pipeline.object_store.uri_path import scheme_of

# Files under these names are not there yet; a killed writer leaves them behind and nobody lists them.
TEMPORARY_PREFIX = ".bitquarry-partial-"


class LocalStore(ObjectStore):
    """Files, written beside and renamed, so that a kill or a power cut leaves the old file, the new file, or none.

    The ETag is `<size>-<mtime_ns>`. Links to files count as files. A link to a folder makes `list` raise: following it
    may leave the folder or never end, and skipping it would lose what is behind it.
    """

    def read(self, uri: str, *, if_etag: str | None = None, max_bytes: int | None = None) -> bytes:
        path = _path_of(uri)
        try:
            # Non-blocking, so that opening a named pipe cannot hang; regular files ignore it.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                _check_readable(uri, status, if_etag, max_bytes)
                data = file.read(status.st_size + 1)
                after = os.fstat(file.fileno())
        except OSError as error:
            raise _storage_error(uri, "read", error) from error
        if len(data) != status.st_size or _etag(after) != _etag(status):
            raise StorageError(f"{uri}: changed while it was read; it must not be written in place")
        return data

    def write(self, uri: str, data: bytes) -> None:
        path = _path_of(uri)
        try:
            temporary = _write_beside(path, data)
            try:
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)
        except OSError as error:
            raise StorageError(f"{uri}: write failed: {error.strerror}") from error

    def create(self, uri: str, data: bytes) -> None:
        path = _path_of(uri)
        try:
            temporary = _write_beside(path, data)
            try:
                # A hard link appears whole and never replaces, unlike a rename.
                os.link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(path.parent)
        except FileExistsError as error:
            # Network file systems can lose the reply of a link that they made: the same bytes are ours.
            if self._holds(uri, data):
                return
            raise ObjectExists(uri) from error
        except OSError as error:
            raise StorageError(
                f"{uri}: create failed: {error.strerror} (creating needs a file system with hard links)"
            ) from error

    def list(self, prefix_uri: str) -> Iterator[ObjectInfo]:
        return _list_folder(str(_path_of(prefix_uri)), prefix_uri.rstrip("/"))

    def info(self, uri: str) -> ObjectInfo:
        try:
            status = _path_of(uri).stat()
        except OSError as error:
            raise _storage_error(uri, "stat", error) from error
        if stat.S_ISDIR(status.st_mode):
            raise ObjectNotFound(uri)
        return ObjectInfo(uri=uri, size_bytes=status.st_size, etag=_etag(status))

    def delete(self, uri: str) -> None:
        path = _path_of(uri)
        try:
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise StorageError(f"{uri}: delete failed: {error.strerror}") from error

    def _holds(self, uri: str, data: bytes) -> bool:
        try:
            return self.read(uri, max_bytes=len(data)) == data
        except MediaTooLarge:
            return False


def _path_of(uri: str) -> Path:
    if not uri or scheme_of(uri) or "\0" in uri:
        raise StorageError(f"{uri!r}: expected a local path")
    return Path(uri)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"


def _storage_error(uri: str, operation: str, error: OSError) -> StorageError:
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return ObjectNotFound(uri)
    return StorageError(f"{uri}: {operation} failed: {error.strerror}")


def _check_readable(uri: str, status: os.stat_result, if_etag: str | None, max_bytes: int | None) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ObjectNotFound(uri)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(f"{uri}: is a pipe, socket or device; expected a file")
    if if_etag is not None and _etag(status) != if_etag:
        raise StorageError(f"{uri}: changed since it was listed (was {if_etag}, is {_etag(status)})")
    if max_bytes is not None and status.st_size > max_bytes:
        raise MediaTooLarge("bytes", status.st_size, max_bytes)


def _write_beside(path: Path, data: bytes) -> Path:
    """Write `data` durably to a temporary file in the folder of `path`, which is made if need be."""
    _make_folder(path.parent)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid4().hex}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make renames, links and new names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _list_folder(folder: str, folder_uri: str) -> Iterator[ObjectInfo]:
    """Everything below `folder`, by ascending key; memory grows with one path of folders, not with the tree."""
    for entry in _sorted_entries(folder, folder_uri):
        uri = f"{folder_uri}/{entry.name}"
        try:
            if entry.is_dir(follow_symlinks=False):
                status = None
            elif entry.is_dir():
                raise StorageError(f"{uri}: is a link to a folder; list that folder by its own path, or copy it here")
            else:
                status = _entry_status(entry)
        except FileNotFoundError:
            continue  # Deleted since the folder was read, as if before.
        except OSError as error:
            raise _storage_error(uri, "list", error) from error
        if status is None:
            yield from _list_folder(entry.path, uri)
        else:
            yield ObjectInfo(uri=uri, size_bytes=status.st_size, etag=_etag(status))


def _sorted_entries(folder: str, folder_uri: str) -> list[os.DirEntry[str]]:
    """Sorted as whole keys sort, by bytes: a folder's key goes on with "/", so `a-b` comes before `a/b`."""
    try:
        with os.scandir(folder) as entries:
            present = [entry for entry in entries if not entry.name.startswith(TEMPORARY_PREFIX)]
            return sorted(
                present,
                key=lambda entry: os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b""),
            )
    except OSError as error:
        raise _storage_error(folder_uri, "list", error) from error


def _entry_status(entry: os.DirEntry[str]) -> os.stat_result:
    """Of a link's target; of the link itself when it leads nowhere, so that it is listed and reading it says why."""
    try:
        return entry.stat()
    except FileNotFoundError:
        return entry.stat(follow_symlinks=False)
