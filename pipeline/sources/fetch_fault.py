"""`FetchFault`: why one item could not be fetched, and the reading of whole objects that tells a bad item from a bad
store."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from operators.errors import MediaTooLarge
from pipeline.errors import ObjectNotFound, StorageError
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import scheme_of
from pipeline.records import FailedItem

NOT_FOUND = "not_found"
CHANGED = "changed"
EMPTY = "empty"
TOO_LARGE = "too_large"
UNREADABLE = "unreadable"
NULL = "null"
TRUNCATED = "truncated"
CORRUPT = "corrupt"

# What the system answers about one file; anything else (input/output error, stale mount) is about the disk.
_ERRORS_OF_ONE_FILE = (errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG)


@dataclass(frozen=True)
class FetchFault:
    """`reason`: a short stable word; `detail`: a sentence for people."""

    reason: str
    detail: str

    def failed(self, key: str, uri: str) -> FailedItem:
        return FailedItem(key=key, uri=uri, stage="fetch", reason=self.reason, detail=self.detail)


def fetch_object(uri: str, *, max_bytes: int, etag: str | None = None) -> bytes | FetchFault:
    """The bytes of a whole object, or what is wrong with that object. `etag`: the version that was listed.

    Raises `StorageError` when the store as a whole failed: credentials, network, server errors, a broken disk.
    """
    try:
        data = open_store(uri).read(uri, if_etag=etag, max_bytes=max_bytes)
    except ObjectNotFound:
        return _gone(uri)
    except MediaTooLarge as error:
        return FetchFault(TOO_LARGE, str(error))
    except StorageError as error:
        fault = version_fault(uri, etag) if etag is not None else None
        if fault is None and _is_about_one_file(uri, error):
            fault = FetchFault(UNREADABLE, str(error))
        if fault is None:
            raise
        return fault
    return data or FetchFault(EMPTY, f"{uri}: 0 bytes")


def version_fault(uri: str, etag: str) -> FetchFault | None:
    """Whether the object is gone or no longer the version `etag`; None when it is that version still."""
    try:
        found = open_store(uri).info(uri).etag
    except ObjectNotFound:
        return _gone(uri)
    except StorageError as error:
        if _is_about_one_file(uri, error):
            return FetchFault(UNREADABLE, str(error))
        raise
    if found != etag:
        return FetchFault(CHANGED, f"{uri}: changed since it was listed (was {etag}, is {found}); run again")
    return None


def _gone(uri: str) -> FetchFault:
    return FetchFault(NOT_FOUND, f"{uri}: no such file or object")


def _is_about_one_file(uri: str, error: StorageError) -> bool:
    if scheme_of(uri):
        return False
    cause = error.__cause__
    return cause is None or (isinstance(cause, OSError) and cause.errno in _ERRORS_OF_ONE_FILE)
