"""The root of a source: its URI in one canonical form, and whether it is there."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote

from pipeline.errors import ObjectNotFound, SourceNotFound, UsageError
from pipeline.object_store.open_store import open_store
from pipeline.object_store.uri_path import S3Address, scheme_of


def canonical_uri(uri: str) -> str:
    """An absolute path (workers have another working folder) or an `s3://` URI, without a slash at the end.

    Raises `UsageError` for an empty URI or another scheme.
    """
    scheme = scheme_of(uri)
    if scheme == "s3":
        bucket = uri[len("s3://") :].partition("/")[0]
        if not bucket:
            raise UsageError(f"{uri}: names no bucket; give s3://bucket/prefix")
        return f"s3://{uri[len('s3://') :].rstrip('/')}"
    if scheme == "file":
        return canonical_uri(unquote(uri[len("file://") :]))
    if scheme or not uri or "\0" in uri:
        raise UsageError(f"{uri!r} cannot be read as a source; give a path or s3://bucket/prefix")
    # Not resolved: a source named through a link keeps its name when the link's target moves.
    return os.path.abspath(uri)  # noqa: PTH100


def is_single_file(uri: str) -> bool:
    """Whether the URI is one file or object rather than a folder or prefix."""
    if scheme_of(uri) == "s3":
        if not S3Address.of(uri).key:
            return False
        try:
            open_store(uri).info(uri)
        except ObjectNotFound:
            return False
        return True
    return Path(uri).is_file()


def require_root(uri: str) -> None:
    """Raise `SourceNotFound` when the folder, file or bucket is not there. An S3 prefix exists as its bucket does."""
    if scheme_of(uri) == "s3":
        try:
            next(iter(open_store(uri).list(uri)), None)
        except ObjectNotFound as error:
            raise SourceNotFound(f"source {uri}: {error}; give a bucket that exists") from error
    elif not Path(uri).exists():
        raise SourceNotFound(f"source {uri}: no such file or folder; give one that exists, or s3://bucket/prefix")
