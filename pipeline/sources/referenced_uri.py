"""URIs that a table names: where they lead, as seen from the table."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import unquote

from pipeline.object_store.uri_path import join_uri, scheme_of
from pipeline.sources.fetch_fault import FetchFault, fetch_object

# What S3 takes as names; anything else is a slip in the table, not a fault of the store.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{1,254}")
_MAX_KEY_BYTES = 1024


def resolve_uri(value: str, folder_uri: str) -> str | FetchFault:
    """An absolute path or `s3://` URI; a relative path counts from the table's folder. `#` has no meaning here: it is
    part of the name."""
    scheme = scheme_of(value)
    if not value or "\0" in value:
        return FetchFault("bad_uri", f"{value!r}: expected a path or s3://bucket/key")
    if scheme == "file":
        return unquote(value[len("file://") :])
    if scheme == "s3":
        return _checked_s3(value)
    if scheme:
        return FetchFault("unsupported_uri", f"{value}: {scheme}:// is not read; expected a path or s3://bucket/key")
    if Path(value).is_absolute():
        return value
    return _checked_s3(join_uri(folder_uri, value)) if scheme_of(folder_uri) else f"{folder_uri}/{value}"


def fetch_referenced(uri: str, *, max_bytes: int) -> tuple[bytes, str] | FetchFault:
    """The bytes and a version mark: a digest of them, as a table of URIs records no versions."""
    data = fetch_object(uri, max_bytes=max_bytes)
    if isinstance(data, FetchFault):
        return data
    return data, hashlib.blake2b(data, digest_size=16).hexdigest()


def _checked_s3(uri: str) -> str | FetchFault:
    bucket, _, key = uri[len("s3://") :].partition("/")
    canonical = f"s3://{bucket}/{key}"
    if not _BUCKET.fullmatch(bucket) or not key or len(key.encode()) > _MAX_KEY_BYTES:
        return FetchFault("bad_uri", f"{uri}: expected s3://bucket/key")
    return canonical
