"""Every visible file below a root, in ascending order of key, for local folders and S3 prefixes alike."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from pipeline.errors import ObjectNotFound, SourceError, SourceNotFound
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import scheme_of
from pipeline.sources.listed_item import ListedItem
from pipeline.sources.picture_names import is_hidden
from pipeline.sources.source_root import is_single_file, require_root

NAME_NOT_UTF8 = "name_not_utf8"

_FolderId = tuple[int, int]


def list_files(uri: str) -> Iterator[ListedItem]:
    """Visible files below `uri`, or the one file that it is. Keys ascend by their UTF-8 bytes; names are verbatim.

    Links are followed; a linked folder that holds itself is entered once. A link to nowhere is listed, so that reading
    it says why. Raises `SourceNotFound`, `SourceError` (naming a folder that cannot be read), `StorageError`.
    """
    if is_single_file(uri):
        info = open_store(uri).info(uri)
        yield ListedItem(key=uri.rpartition("/")[2], uri=uri, size_bytes=info.size_bytes, etag=info.etag)
    elif scheme_of(uri) == "s3":
        yield from _list_prefix(uri)
    else:
        require_root(uri)
        yield from _walk(uri, "", ())


def _list_prefix(uri: str) -> Iterator[ListedItem]:
    try:
        for info in open_store(uri).list(uri):
            key = info.uri[len(uri) + 1 :]
            # S3 consoles make "folder/" objects; a name that ends in a slash is never a file.
            if not is_hidden(key) and not key.endswith("/"):
                yield ListedItem(key=key, uri=info.uri, size_bytes=info.size_bytes, etag=info.etag)
    except ObjectNotFound as error:
        raise SourceNotFound(str(error)) from error


def _walk(folder: str, prefix: str, ancestors: tuple[_FolderId, ...]) -> Iterator[ListedItem]:
    """`prefix` is the key of the folder with a slash at its end, "" at the root."""
    entries, here = _sorted_entries(folder)
    if here in ancestors:
        return
    for entry, is_folder in entries:
        if is_folder:
            yield from _walk(entry.path, f"{prefix}{entry.name}/", (*ancestors, here))
        else:
            yield _listed(entry, f"{prefix}{entry.name}")


def _sorted_entries(folder: str) -> tuple[list[tuple[os.DirEntry[str], bool]], _FolderId]:
    """Visible entries with "is a folder", as whole keys sort: a folder's key goes on with a slash."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - names that are no UTF-8 pass through os unharmed
        with os.scandir(folder) as entries:
            found = [(entry, _is_folder(entry)) for entry in entries if not is_hidden(entry.name)]
    except OSError as error:
        raise SourceError(f"{_printable(folder)}: cannot list this folder: {error.strerror}") from error
    found.sort(key=lambda pair: os.fsencode(pair[0].name) + (b"/" if pair[1] else b""))
    return found, (status.st_dev, status.st_ino)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # A link that leads to itself: listed as a file that cannot be read.


def _listed(entry: os.DirEntry[str], key: str) -> ListedItem:
    try:
        status = entry.stat()
    except OSError:
        status = None
    size_bytes = status.st_size if status and stat.S_ISREG(status.st_mode) else 0
    etag = f"{status.st_size}-{status.st_mtime_ns}" if status else ""
    # Keys go into Parquet, which takes UTF-8 only.
    fault = "" if _is_utf8(key) else NAME_NOT_UTF8
    return ListedItem(key=_printable(key), uri=_printable(entry.path), size_bytes=size_bytes, etag=etag, fault=fault)


def _is_utf8(name: str) -> bool:
    return _printable(name) == name


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
